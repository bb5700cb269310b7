//! Progress of a start or a stop, for live lines.

use std::time::Duration;

use super::Live;
use super::steps::StepCount;
use crate::event::{StopCause, Wait};
use crate::hook::state::State;
use crate::observe::report::Standing;
use crate::plan::Plan;

/// Progress of a start or a stop.
pub(crate) struct LiveProgress {
    pub(crate) state: State,
    pub(crate) cause: Option<StopCause>,
    pub(crate) is_hurried: bool,
    pub(crate) took: Duration,
    /// Time until it has to be over.
    pub(crate) left: Duration,
    /// Number of hooks that have ended, and of services that are ready, or have ended in a stop.
    pub(crate) done: usize,
    /// Number of hooks and services in all.
    pub(crate) total: usize,
    pub(crate) waits: Vec<Wait>,
    /// Parts that are stalled, as texts.
    pub(crate) stalls: Vec<String>,
}

impl Live {
    /// Returns the progress of the start or the stop of this plan; `None` if the run does neither.
    /// A stop is not over while observers of events, or the last publication of metrics, are waited
    /// for.
    pub(crate) fn progress(&self, plan: &Plan, startup_timeout: Duration) -> Option<LiveProgress> {
        let standing = self.recorder.standing();
        let Standing { state, stop_began, grace, is_hurried, .. } = standing;
        let waits = self.waits();
        let is_held_up = || waits.iter().any(Wait::is_behind_the_run);
        if state == State::Ready || (state == State::Stopped && !is_held_up()) {
            return None;
        }
        // The event about the beginning of the stop precedes the new state.
        let is_start = state == State::Starting && stop_began.is_none();
        let (limit, took) = if is_start {
            (startup_timeout, self.began.elapsed())
        } else {
            let took = self.since(stop_began.unwrap_or(standing.since));
            (grace.unwrap_or_default(), took)
        };
        let count = if is_start { StepCount::of_start } else { StepCount::of_stop };
        let StepCount { done, total } = self.recorder.read(|record| count(plan, record));
        Some(LiveProgress {
            state,
            cause: standing.cause,
            is_hurried,
            took,
            left: limit.saturating_sub(took),
            done,
            total,
            waits,
            stalls: self.stalls.texts(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, Observer, Outcome, ServiceState, StartFailure};
    use crate::hook::HookMeta;
    use crate::observe::health::Checks;
    use crate::observe::report::Recorder;
    use crate::plan::sample;
    use crate::process::stalls::{StallLimits, StallTracker};

    /// Run with a hook of each kind, whose events are told one by one.
    struct ToldRun {
        plan: Plan,
        recorder: Recorder,
        live: Live,
    }

    impl ToldRun {
        fn new() -> Self {
            let hooks = "start db; service svc; check ping; ready announce; drain leave; \
                         stop flush; stop close_db of db";
            let plan = sample::plan(hooks).expect("valid");
            let recorder = Recorder::new(plan.hooks().len());
            let stalls = StallTracker::new(StallLimits::default());
            let live = Live::new(recorder.clone(), Checks::default(), stalls);
            Self { plan, recorder, live }
        }

        fn tell(&self, event: &Event) {
            self.recorder.on_event(Duration::ZERO, event);
        }

        fn hook(&self, name: &str) -> &'static HookMeta {
            let hooks = self.plan.hooks();
            hooks.iter().find(|hook| hook.display_name() == name).expect("a hook of the plan")
        }

        fn ends(&self, name: &str) {
            let hook = self.hook(name);
            self.tell(&Event::HookStarted { hook });
            let outcome = Outcome::Succeeded;
            self.tell(&Event::HookEnded { hook, outcome, took: Duration::ZERO });
        }

        fn stop_begins(&self, cause: StopCause, state: State) {
            let grace = Duration::from_secs(25);
            self.tell(&Event::StopBegun { cause, grace, requests: None });
            self.tell(&Event::State(state));
        }

        /// Checks the numbers of the hooks that are done, and of all.
        #[track_caller]
        fn expect(&self, expected: (usize, usize)) {
            let progress = self.live.progress(&self.plan, Duration::from_secs(60));
            let progress = progress.expect("a start or a stop");
            assert_eq!((progress.done, progress.total), expected);
        }

        #[track_caller]
        fn expect_none(&self) {
            assert!(self.live.progress(&self.plan, Duration::from_secs(60)).is_none());
        }
    }

    #[test]
    fn a_start_and_a_stop_count_their_hooks_and_the_services() {
        let run = ToldRun::new();
        run.tell(&Event::State(State::Starting));
        run.expect((0, 3));
        run.ends("db");
        let svc = run.hook("svc");
        run.tell(&Event::HookStarted { hook: svc });
        run.tell(&Event::Service { hook: svc, state: ServiceState::Starting });
        run.expect((1, 3));
        run.tell(&Event::Service { hook: svc, state: ServiceState::Running });
        // A health check is no part of either.
        run.ends("ping");
        run.expect((2, 3));
        run.ends("announce");
        run.expect((3, 3));
        run.tell(&Event::State(State::Ready));
        run.expect_none();
        run.stop_begins(StopCause::Requested, State::Draining);
        run.expect((0, 4));
        run.ends("leave");
        run.tell(&Event::State(State::Stopping));
        run.tell(&Event::Service { hook: svc, state: ServiceState::Stopping });
        run.expect((1, 4));
        run.tell(&Event::Service { hook: svc, state: ServiceState::Stopped });
        run.tell(&Event::HookEnded {
            hook: svc,
            outcome: Outcome::Succeeded,
            took: Duration::ZERO,
        });
        run.expect((2, 4));
        run.ends("flush");
        run.ends("close_db");
        run.expect((4, 4));
        run.tell(&Event::State(State::Stopped));
        run.expect_none();
        // The stop is not over until the metrics are published, and observers have seen the last
        // event.
        let running = Duration::ZERO;
        for wait in [Wait::Publication { running }, Wait::Observers { running }] {
            run.live.add(move |_| vec![wait.clone()]);
            run.expect((4, 4));
            run.live.forget_others();
            run.expect_none();
        }
    }

    #[test]
    fn a_start_that_failed_counts_no_drain_hooks_and_no_services_that_never_began() {
        let run = ToldRun::new();
        run.tell(&Event::State(State::Starting));
        run.ends("db");
        run.tell(&Event::StartFailed { failure: StartFailure::AppTimedOut });
        run.stop_begins(StopCause::StartFailed, State::Stopping);
        run.expect((0, 2));
    }
}
