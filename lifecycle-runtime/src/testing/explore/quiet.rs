//! Silencing of expected panics: an exploration of a thousand schedules reports one failure, and
//! the other panics stay off stderr.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use futures_util::future::FutureExt;

use crate::hook::error::panic_text;

thread_local! {
    /// Location of the last panic of this thread, if its panics are silenced.
    static QUIET: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Guard that keeps this thread's panics off stderr until it is dropped. Panics of other threads go
/// where they went before.
pub(super) struct SilencedPanics {
    was: Option<String>,
}

impl SilencedPanics {
    pub(super) fn begin() -> Self {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            // The panic hook belongs to the process. This one is put around the present hook once
            // and never removed, so it can't get in the way of code that sets another one.
            let others = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                let place = info.location().map(ToString::to_string).unwrap_or_default();
                // The thread-local is gone if a thread panics while it ends.
                let is_quiet = QUIET.try_with(|quiet| {
                    quiet.borrow_mut().as_mut().map(|last| *last = place).is_some()
                });
                if !is_quiet.unwrap_or(false) {
                    others(info);
                }
            }));
        });
        Self { was: QUIET.replace(Some(String::new())) }
    }

    /// Silences the panics of this thread for its whole life.
    pub(super) fn forever() {
        std::mem::forget(Self::begin());
    }
}

impl Drop for SilencedPanics {
    fn drop(&mut self) {
        QUIET.set(self.was.take());
    }
}

/// Returns the output of a future, or the message of its panic with the location.
pub(super) async fn caught<T>(future: impl Future<Output = T>) -> Result<T, String> {
    AssertUnwindSafe(future).catch_unwind().await.map_err(|panic| {
        let text = panic_text(&*panic);
        match QUIET.with_borrow(|place| place.clone().unwrap_or_default()) {
            place if place.is_empty() => text,
            place => format!("panicked at {place}:\n{text}"),
        }
    })
}
