//! Panics of handlers and of their tasks, told as events: a bounded number of them, however many
//! requests panic.
//!
//! The message of a panic is written by the process' panic hook, on the thread that panics and
//! before anybody here learns of it. A library has no business to replace that hook, so an event
//! only adds what the hook can't know: the request.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::event::{Event, Events, RequestPanic};
use crate::hook::error::panic_text;

/// Number of panics in each [`WINDOW`] that have an event of their own. A handler that panics at
/// each request would otherwise fill the memory of a slow observer, and push everything else out of
/// the list that operators see.
const MOST: u32 = 10;

const WINDOW: Duration = Duration::from_secs(1);

/// Emitter of the events about panics. Clones share it. The default emits nothing.
#[derive(Clone, Default)]
pub(crate) struct PanicEvents(Option<Arc<PanicEventsInner>>);

struct PanicEventsInner {
    events: Events,
    recent: Mutex<RecentPanics>,
}

/// Panics of the current window.
#[derive(Default)]
struct RecentPanics {
    since: Option<Instant>,
    emitted: u32,
    /// Number of panics without an event since the last event.
    left_out: u64,
}

impl PanicEvents {
    pub(crate) fn new(events: Events) -> Self {
        Self(Some(Arc::new(PanicEventsInner { events, recent: Mutex::default() })))
    }

    /// Emits an event about a panic of a request's handler, or of its task if `in_task` is set.
    pub(super) fn emit(&self, panic: RequestPanic, in_task: bool) {
        let Some(inner) = &self.0 else { return };
        let mut recent = inner.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let left_out = recent.admit(Instant::now());
        drop(recent);
        if let Some(left_out) = left_out {
            inner.events.emit(&Event::RequestPanicked { panic, in_task, left_out });
        }
    }
}

impl RecentPanics {
    /// Counts a panic. If it may have an event, returns the number of those before it that had
    /// none.
    fn admit(&mut self, now: Instant) -> Option<u64> {
        if self.since.is_none_or(|since| now.duration_since(since) >= WINDOW) {
            self.since = Some(now);
            self.emitted = 0;
        }
        if self.emitted == MOST {
            self.left_out += 1;
            return None;
        }
        self.emitted += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

/// Calls code of the app. If it panics, passes the message to `note`, and lets the panic go on.
pub(super) fn noted<T>(call: impl FnOnce() -> T, note: impl FnOnce(String)) -> T {
    // Nothing is polled again that has panicked.
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| {
        note(panic_text(&*panic));
        // This does not call the panic hook again.
        resume_unwind(panic)
    })
}

/// Does the same, but returns `None` after a panic if panics are to be caught.
pub(super) fn caught<T>(
    catches_panics: bool,
    call: impl FnOnce() -> T,
    note: impl FnOnce(String),
) -> Option<T> {
    let call = || noted(call, note);
    if catches_panics { catch_unwind(AssertUnwindSafe(call)).ok() } else { Some(call()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_has_ten_events_a_second_and_the_next_one_counts_the_rest() {
        let mut recent = RecentPanics::default();
        let now = Instant::now();
        let admitted = (0..1000).filter_map(|_| recent.admit(now)).collect::<Vec<_>>();
        assert_eq!(admitted, [0; 10]);
        let later = now + WINDOW;
        assert_eq!(recent.admit(later), Some(990));
        assert_eq!(recent.admit(later), Some(0));
    }
}
