//! Deadlines of the start and the stop, and the changes of state that set them.

use std::time::Duration;

use tokio::time::Instant;
use tracing::Span;

use super::phases::RunPhases;
use crate::engine::executor::{PhaseTime, StartError};
use crate::event::Event;
use crate::hook::state::State;
use crate::hook::stop::StopCause;
use crate::observe::trace::stop_span;
use crate::plan::{ABANDON_AFTER, Budget, last_words};

impl RunPhases<'_> {
    /// Begins the start, and returns the moment at which it has to be over.
    pub(super) fn begin_start(&self) -> Instant {
        self.run.enter(State::Starting);
        let limit = Instant::now() + self.run.config.startup_timeout;
        self.run.progress.send_modify(|progress| progress.deadline = Some(limit));
        limit
    }

    /// Ends a start that was a success: the run is ready, and has no deadline.
    pub(super) fn end_start_well(&self) {
        self.run.progress.send_modify(|progress| progress.deadline = None);
        self.run.enter(State::Ready);
        self.release_watchdog();
    }

    /// Begins the stop of a start that has failed or was interrupted, for what has started.
    pub(super) fn end_start(&self, end: &StartError, next: State, serves: bool) {
        if let Some(failure) = end.failure.clone() {
            self.run.progress.send_modify(|progress| progress.start_failed = true);
            let failure = self.run.live.with_last_run(failure);
            self.run.succession.failed(&failure);
            self.run.engine.events.emit(&Event::StartFailed { failure });
        } else {
            self.run.engine.events.emit(&Event::StartInterrupted { cause: end.cause.clone() });
        }
        // The first signal that follows finds this stop, and the next one hurries it.
        self.run.handle.ask(end.cause.clone());
        let drain_end = self.timetable.drain_end();
        let left_behind = if next == State::Draining {
            // Drain hooks come after the hooks that are still running.
            drain_end.saturating_sub(self.timetable.drain_budget().whole())
        } else {
            drain_end
        };
        self.begin(&end.cause, next, serves, left_behind);
    }

    /// Begins the stop of a run that was ready.
    pub(super) fn begin_stop(&self, cause: &StopCause, serves: bool) {
        self.begin(cause, State::Draining, serves, self.timetable.drain_end());
    }

    /// Begins the stop. Its time runs from here, and everybody learns of all of it at once. Hooks
    /// that have begun before are waited for until `left_behind`, an offset of the time table.
    fn begin(&self, cause: &StopCause, next: State, serves: bool, left_behind: Duration) {
        let _ = self.stop_span.set(stop_span(cause));
        let grace = self.run.config.grace;
        // The stop may have been asked for long before the run.
        let from =
            self.run.handle.asked().borrow().at.map_or_else(Instant::now, |at| at.max(self.began));
        if let Some(watchdog) = &self.watchdog {
            // This replaces the deadline of the start.
            watchdog.rearm(Some(from.into_std() + grace));
        }
        self.run.progress.send_modify(|progress| {
            // The time for the report at the end is part of the grace period, too.
            progress.deadline = Some(from + self.timetable.hooks_end());
            progress.cut = self.timetable.requests_end().map(|cut| from + cut);
            progress.last_call = Some(earlier(from + left_behind, ABANDON_AFTER));
            progress.state = next;
            progress.has_successor = matches!(cause, StopCause::Upgraded { .. });
        });
        let events = &self.run.engine.events;
        let requests = self.timetable.requests_end().filter(|_| serves);
        events.emit(&Event::StopBegun { cause: cause.clone(), grace, requests });
        events.emit(&Event::State(next));
    }

    pub(super) fn stop_span(&self) -> Span {
        self.stop_span.get().cloned().unwrap_or_else(Span::none)
    }

    pub(super) fn deadline(&self) -> Instant {
        self.run.progress.borrow().deadline.unwrap_or_else(Instant::now)
    }

    /// Returns the moment from which only shutdown hooks and teardowns may run.
    pub(super) fn drain_end(&self) -> Instant {
        self.moment(self.timetable.drain_end())
    }

    /// Returns the moment for an offset of the time table.
    pub(super) fn moment(&self, moment: Duration) -> Instant {
        earlier(self.deadline(), self.timetable.hooks_end().saturating_sub(moment))
    }

    /// Returns the time of a phase that is to be over at `end`.
    pub(super) fn phase_time<'b>(&self, budget: &'b Budget, end: Instant) -> PhaseTime<'b> {
        // Steps that begin late have as much more time as half of what the report has. That pays
        // for it, except for drain hooks: these take from the drain delay and the requests.
        PhaseTime { budget, end, latest: end + last_words(self.run.config.grace) / 2 }
    }

    /// Lifts the deadline of the start. A stop, even one asked for just now, has a deadline of its
    /// own.
    fn release_watchdog(&self) {
        if let Some(watchdog) = &self.watchdog {
            watchdog.rearm(None);
            if self.run.handle.asked().borrow().cause.is_some() {
                watchdog.arm(std::time::Instant::now() + self.run.config.grace);
            }
        }
    }
}

/// Returns a moment that is earlier by this duration.
pub(super) fn earlier(moment: Instant, by: Duration) -> Instant {
    moment.checked_sub(by).unwrap_or(moment)
}
