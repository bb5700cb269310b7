//! Panics that are expected, kept from stderr: of a thousand schedules that a test is run under,
//! one failure is to be told.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use futures_util::future::FutureExt;

use crate::hook::error::panic_text;

thread_local! {
    /// Where the last panic of this thread was, if it keeps quiet about them.
    static QUIET: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Keeps this thread's panics from stderr until it is dropped. Those of other threads go where they
/// went before.
pub(super) struct SilencedPanics {
    was: Option<String>,
}

impl SilencedPanics {
    pub(super) fn begin() -> Self {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            // What to do with a panic is the process's own. Put around what is there once, as
            // nothing ever takes it away again, it can't get in the way of who sets another one.
            let others = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                let place = info.location().map(ToString::to_string).unwrap_or_default();
                // A panic while a thread ends finds nothing here any more.
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

    /// For a thread's whole life.
    pub(super) fn forever() {
        std::mem::forget(Self::begin());
    }
}

impl Drop for SilencedPanics {
    fn drop(&mut self) {
        QUIET.set(self.was.take());
    }
}

/// What a future comes to, or what it panics with, and where.
pub(super) async fn caught<T>(future: impl Future<Output = T>) -> Result<T, String> {
    AssertUnwindSafe(future).catch_unwind().await.map_err(|panic| {
        let text = panic_text(&*panic);
        match QUIET.with_borrow(|place| place.clone().unwrap_or_default()) {
            place if place.is_empty() => text,
            place => format!("panicked at {place}:\n{text}"),
        }
    })
}
