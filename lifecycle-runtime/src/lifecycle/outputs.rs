//! Outputs of a run's events: `tracing`, and the console for events that nobody shows there.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing::Level;

use crate::event::{Event, Observer, Outcome};
use crate::hook::HookMeta;
use crate::hook::state::State;
use crate::observe::console::Console;
use crate::observe::trace::{self, Traced};

#[cfg(test)]
mod tests;

/// Observer that passes each event to an output once. The failure that a start fails by is passed
/// on as part of the failed start.
pub(super) struct Outputs {
    console: Console,
    /// Set if a subscriber has shown the last event of the level INFO: then it is set up to show a
    /// run, and leaves out events of the level DEBUG on purpose.
    shows_info: AtomicBool,
    failures: Mutex<StartFailures>,
}

/// Failures of hooks while the start may fail by one of them.
#[derive(Default)]
struct StartFailures {
    withheld: Vec<(&'static HookMeta, Outcome, Duration)>,
    is_over: bool,
}

impl Outputs {
    pub(super) fn new(console: Console) -> Self {
        Self { console, shows_info: AtomicBool::new(false), failures: Mutex::default() }
    }

    /// Passes an event to `tracing`, and to the console if nobody shows it there.
    fn pass(&self, at: Duration, event: &Event) {
        self.pass_to_console(at, event, trace::emit(event));
    }

    /// Passes an event to the console, unless `tracing` has shown it.
    fn pass_to_console(&self, at: Duration, event: &Event, traced: Traced) {
        let Traced { level, is_shown } = traced;
        let is_traced = match level {
            Level::INFO => {
                self.shows_info.store(is_shown, Ordering::Relaxed);
                is_shown
            }
            Level::DEBUG => is_shown || self.shows_info.load(Ordering::Relaxed),
            _ => is_shown,
        };
        if self.console.writes(is_traced) {
            self.console.write_event(at, event, level);
        } else {
            self.console.note_traced(at, event);
        }
    }

    /// Withholds a failure that the start may fail by, as the event about the failed start contains
    /// it. Returns `true` if it has done so.
    fn withholds(&self, hook: &'static HookMeta, outcome: &Outcome, took: Duration) -> bool {
        if !outcome.is_failure() || outcome.is_ignored(hook) || !hook.kind.is_of_the_start() {
            return false;
        }
        let mut failures = self.failures();
        if failures.is_over {
            return false;
        }
        failures.withheld.push((hook, outcome.clone(), took));
        true
    }

    /// Passes on all withheld failures except that of the hook by which the start has failed.
    fn start_over(&self, at: Duration, failed_by: Option<&HookMeta>) {
        self.failures().is_over = true;
        let withheld = std::mem::take(&mut self.failures().withheld);
        for (hook, outcome, took) in withheld {
            if failed_by != Some(hook) {
                self.pass(at, &Event::HookEnded { hook, outcome, took });
            }
        }
    }

    fn failures(&self) -> MutexGuard<'_, StartFailures> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Outputs {
    fn on_event(&self, at: Duration, event: &Event) {
        if let Event::State(state) = event {
            self.console.enter(*state);
        }
        match event {
            Event::HookEnded { hook, outcome, took } if self.withholds(hook, outcome, *took) => {}
            Event::StartFailed { failure } => {
                self.start_over(at, failure.hook());
                let traced = trace::emit(event);
                if self.console.is_silent() && !traced.is_shown {
                    self.console.keep_failure(failure);
                }
                self.pass_to_console(at, event, traced);
            }
            Event::State(State::Ready) | Event::StartInterrupted { .. } => {
                self.start_over(at, None);
                self.pass(at, event);
            }
            _ => self.pass(at, event),
        }
    }
}
