//! What a test asks of a run that is over.

use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use super::moment::{begins, ends};
use super::stalls::Stall;
use super::timeline::Timeline;
use crate::event::{Event, Outcome, readable};
use crate::hook::{Hook, HookMeta, Kind};
use crate::observe::report::Report;

/// What is wrong with a run that was to be clean.
const UNCLEAN: &str = "the run was not clean";

/// The [`Report`] of an app in a test, and what to ask of it.
///
/// Assertions look at events, never at text or at the time alone: of two things in the same
/// millisecond one comes first. They return the report, for the next one. One that does not hold
/// panics at the line of the test and shows everything that happened, a lane for each hook:
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
    /// Everything that happened, what came of it, and what to do if paused time has run away from
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

    /// Returns whether the hook ran: it began.
    ///
    /// For tests that go through many hooks; [`assert_ran_once`](Self::assert_ran_once) is for one.
    #[must_use]
    pub fn ran(&self, hook: &HookMeta) -> bool {
        self.runs(hook) > 0
    }

    /// How the hook ended, the last time if it ran more than once; `None` if it has no part in the
    /// run.
    #[must_use]
    pub fn outcome(&self, hook: &HookMeta) -> Option<&Outcome> {
        self.timeline.last(|event| {
            ends(event).filter(|(ended, _)| *ended == hook).map(|(_, outcome)| outcome)
        })
    }

    /// Everything ran and succeeded: the exit code would be 0.
    #[track_caller]
    pub fn assert_clean(&self) -> &Self {
        if self.report.is_clean() { self } else { self.fail(UNCLEAN) }
    }

    /// The process would end with this exit code.
    #[track_caller]
    pub fn assert_exit_code(&self, code: u8) -> &Self {
        let real = self.report.exit_code();
        if real == code { self } else { self.fail(&format!("the exit code is {real}, not {code}")) }
    }

    /// These hooks ran, each once the one before it was [over](Self::assert_before).
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

    /// `A` was over before `B` began: it had ended. A service that `B` of the start waited for was
    /// over when it was ready.
    #[track_caller]
    pub fn assert_before<A: Hook, B: Hook>(&self) -> &Self {
        self.check_before(A::META, B::META);
        self
    }

    /// `A` had ended before `B` was told to stop, a service.
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

    /// The hook ran, once.
    #[track_caller]
    pub fn assert_ran_once<H: Hook>(&self) -> &Self {
        match self.runs(H::META) {
            1 => self,
            0 => self.fail(&format!("`{}` did not run", H::META.name())),
            n => self.fail(&format!("`{}` ran {n} times", H::META.name())),
        }
    }

    /// The hook did not run.
    #[track_caller]
    pub fn assert_not_run<H: Hook>(&self) -> &Self {
        if self.runs(H::META) == 0 { self } else { self.fail(&format!("`{}` ran", H::META.name())) }
    }

    /// Each of these hooks began before the other had ended.
    #[track_caller]
    pub fn assert_overlapped<A: Hook, B: Hook>(&self) -> &Self {
        let (a, b) = (self.span(A::META), self.span(B::META));
        if a.0 < b.1 && b.0 < a.1 {
            return self;
        }
        let (first, then) = if a.0 < b.0 { (A::META, B::META) } else { (B::META, A::META) };
        self.fail(&format!("`{}` had ended when `{}` began", first.name(), then.name()))
    }

    /// The hook failed, in whatever way, and this text is part of how.
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

    /// The stop took no longer than this.
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
    /// What happened, if not.
    pub(super) fn clean(&self) -> Result<(), String> {
        if self.report.is_clean() { Ok(()) } else { Err(self.failure(UNCLEAN)) }
    }

    /// Panics, and shows what happened.
    #[track_caller]
    pub(super) fn fail(&self, what: &str) -> ! {
        panic!("{}", self.failure(what))
    }

    /// Returns what is wrong, with what happened.
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
        // No closure, as its panic would not stand at the line of the test.
        let Some(span) = self.timeline.span(hook) else {
            self.fail(&format!("`{}` did not run", hook.name()))
        };
        span
    }

    fn runs(&self, hook: &HookMeta) -> usize {
        self.timeline.count(|event: &Event| begins(event) == Some(hook))
    }
}
