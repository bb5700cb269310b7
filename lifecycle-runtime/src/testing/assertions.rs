//! Report of a run that is over, with assertions for tests.

use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use super::moment::{begins, ends};
use super::stalls::Stall;
use super::timeline::Timeline;
use crate::event::{Event, Outcome, readable};
use crate::hook::{Hook, HookMeta, Kind};
use crate::observe::report::Report;

/// Message about a run that should have been clean.
const UNCLEAN: &str = "the run was not clean";

/// [`Report`] of an app in a test, with assertions.
///
/// Assertions look at the order of events, never at text or at the time alone: even of two events
/// in the same millisecond one comes first. They return the report, so that they can be chained. An
/// assertion that does not hold panics at the line of the test and shows everything that happened,
/// with a lane for each hook:
///
/// ```text
///      0 µs       — starting —
///      0 µs  ┌    db begins
///     10 ms  └    db done (10 ms)
///     10 ms       — ready —
///     10 ms       stop: SIGTERM
///     10 ms  ┌    flush begins
///     10 ms  │┌   close_db begins
/// ```
#[derive(Debug, Clone)]
pub struct TestReport {
    report: Report,
    timeline: Timeline,
    /// Hooks that may have waited for something real while paused time passed.
    stalls: Vec<Stall>,
}

impl Deref for TestReport {
    type Target = Report;

    fn deref(&self) -> &Report {
        &self.report
    }
}

impl fmt::Display for TestReport {
    /// Writes everything that happened, the report, and advice if paused time has run ahead of
    /// something real.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}", self.timeline, self.report)?;
        let has_failed = |stall: &&Stall| self.outcome(stall.hook).is_some_and(Outcome::is_failure);
        for stall in self.stalls.iter().filter(has_failed) {
            write!(f, "\n\n{}", stall.advice())?;
        }
        Ok(())
    }
}

#[allow(clippy::must_use_candidate, reason = "an assertion is made for its panic")]
impl TestReport {
    pub(super) fn new(report: Report, timeline: Timeline, stalls: Vec<Stall>) -> Self {
        Self { report, timeline, stalls }
    }

    /// Returns whether the hook ran, even if it only began.
    ///
    /// This is for tests that go through many hooks; for one hook use
    /// [`assert_ran_once`](Self::assert_ran_once).
    #[must_use]
    pub fn ran(&self, hook: &HookMeta) -> bool {
        self.runs(hook) > 0
    }

    /// Returns the outcome of the hook, the last one if it ran more than once; `None` if it did not
    /// take part in the run.
    #[must_use]
    pub fn outcome(&self, hook: &HookMeta) -> Option<&Outcome> {
        self.timeline.last(|event| {
            ends(event).filter(|(ended, _)| *ended == hook).map(|(_, outcome)| outcome)
        })
    }

    /// Asserts that everything ran and succeeded: the exit code would be 0.
    #[track_caller]
    pub fn assert_clean(&self) -> &Self {
        if self.report.is_clean() { self } else { self.fail(UNCLEAN) }
    }

    /// Asserts that the process would end with this exit code.
    #[track_caller]
    pub fn assert_exit_code(&self, code: u8) -> &Self {
        let real = self.report.exit_code();
        if real == code { self } else { self.fail(&format!("the exit code is {real}, not {code}")) }
    }

    /// Asserts that these hooks ran, each after the one before it was [over](Self::assert_before).
    ///
    /// ```standalone_crate
    /// # use lifecycle_runtime::testing::TestApp;
    /// use lifecycle_runtime::hook::Hook;
    /// use lifecycle_runtime::{Dep, on_shutdown, on_startup};
    ///
    /// #[on_startup]
    /// async fn db() {}
    /// #[on_shutdown]
    /// async fn flush(db: Dep<db>) {}
    /// #[on_shutdown(of = db)]
    /// async fn close_db() {}
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// let report = TestApp::builder().run().await;
    /// report.assert_order(&[db::META, flush::META, close_db::META]);
    /// # }
    /// ```
    #[track_caller]
    pub fn assert_order(&self, hooks: &[&'static HookMeta]) -> &Self {
        for pair in hooks.windows(2) {
            self.check_before(pair[0], pair[1]);
        }
        self
    }

    /// Asserts that `A` was over before `B` began. A hook is over when it has ended; but a service
    /// for which a `B` of the start waits is over when it is ready.
    #[track_caller]
    pub fn assert_before<A: Hook, B: Hook>(&self) -> &Self {
        self.check_before(A::META, B::META);
        self
    }

    /// Asserts that `A` had ended before `B`, a service, was told to stop.
    #[track_caller]
    pub fn assert_stopped_before<A: Hook, B: Hook>(&self) -> &Self {
        let (first, then) = (A::META, B::META);
        let (_, end) = self.span(first);
        let told = self.timeline.told_to_stop(then);
        let Some(told) = told else {
            self.fail(&format!("`{}` was never told to stop", then.name()))
        };
        if end > told {
            self.fail(&format!(
                "`{}` had not ended when `{}` was told to stop",
                first.name(),
                then.name()
            ));
        }
        self
    }

    /// Asserts that the hook ran exactly once.
    #[track_caller]
    pub fn assert_ran_once<H: Hook>(&self) -> &Self {
        match self.runs(H::META) {
            1 => self,
            0 => self.fail(&format!("`{}` did not run", H::META.name())),
            n => self.fail(&format!("`{}` ran {n} times", H::META.name())),
        }
    }

    /// Asserts that the hook did not run.
    #[track_caller]
    pub fn assert_not_run<H: Hook>(&self) -> &Self {
        if self.runs(H::META) == 0 { self } else { self.fail(&format!("`{}` ran", H::META.name())) }
    }

    /// Asserts that each of these two hooks began before the other had ended.
    #[track_caller]
    pub fn assert_overlapped<A: Hook, B: Hook>(&self) -> &Self {
        let (a, b) = (self.span(A::META), self.span(B::META));
        if a.0 < b.1 && b.0 < a.1 {
            return self;
        }
        let (first, then) = if a.0 < b.0 { (A::META, B::META) } else { (B::META, A::META) };
        self.fail(&format!("`{}` had ended when `{}` began", first.name(), then.name()))
    }

    /// Asserts that the hook failed in any way, with this text in its outcome.
    #[track_caller]
    pub fn assert_failed<H: Hook>(&self, text: &str) -> &Self {
        let hook = H::META;
        match self.outcome(hook) {
            Some(outcome) if outcome.is_failure() && outcome.to_string().contains(text) => self,
            Some(outcome) => self
                .fail(&format!("`{}` {outcome}; expected it to fail with \"{text}\"", hook.name())),
            None => self.fail(&format!("`{}` did not end", hook.name())),
        }
    }

    /// Asserts that the stop took no longer than this.
    #[track_caller]
    pub fn assert_stops_within(&self, time: Duration) -> &Self {
        let took = self.report.stop_took;
        if took <= time {
            return self;
        }
        self.fail(&format!("the stop took {}, longer than {}", readable(took), readable(time)))
    }

    /// Checks that everything ran and succeeded.
    ///
    /// # Errors
    ///
    /// The message with everything that happened.
    pub(super) fn clean(&self) -> Result<(), String> {
        if self.report.is_clean() { Ok(()) } else { Err(self.failure(UNCLEAN)) }
    }

    /// Panics, and shows what happened.
    #[track_caller]
    pub(super) fn fail(&self, what: &str) -> ! {
        panic!("{}", self.failure(what))
    }

    /// Returns the message, followed by everything that happened.
    pub(super) fn failure(&self, what: &str) -> String {
        format!("{what}; what happened:\n\n{self}\n")
    }

    #[track_caller]
    fn check_before(&self, first: &'static HookMeta, then: &'static HookMeta) {
        let (_, end) = self.span(first);
        let (begin, _) = self.span(then);
        let over = match first.kind() {
            Kind::Service if !matches!(then.kind(), Kind::Drain | Kind::Shutdown) => {
                self.timeline.ready(first)
            }
            _ => Some(end),
        };
        if over.is_none_or(|over| over > begin) {
            self.fail(&format!("`{}` was not over when `{}` began", first.name(), then.name()));
        }
    }

    #[track_caller]
    fn span(&self, hook: &HookMeta) -> (usize, usize) {
        // This is no closure, as a panic in one would not show the line of the test.
        let Some(span) = self.timeline.span(hook) else {
            self.fail(&format!("`{}` did not run", hook.name()))
        };
        span
    }

    fn runs(&self, hook: &HookMeta) -> usize {
        self.timeline.count(|event: &Event| begins(event) == Some(hook))
    }
}
