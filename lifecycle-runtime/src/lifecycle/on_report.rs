//! Callbacks of a program that take the report of its run.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::hook::task::thread;
use crate::observe::console::{Console, LAST_WORDS};
use crate::observe::report::Report;

const NOT_RETURNED: &str =
    "a callback of `on_report` has not returned in the time of the stop, and is left behind";

/// Callbacks that take the report of a run. They are called once, in the order in which they were
/// added. Clones share the callbacks.
#[derive(Clone, Default)]
pub(crate) struct OnReport(Arc<Mutex<Vec<Callback>>>);

type Callback = Box<dyn FnOnce(&Report) + Send>;

impl OnReport {
    pub(super) fn add(&self, callback: impl FnOnce(&Report) + Send + 'static) {
        self.lock().push(Box::new(callback));
    }

    /// Calls the callbacks on the current thread.
    pub(crate) fn call(&self, report: &Report) {
        let callbacks = std::mem::take(&mut *self.lock());
        for callback in callbacks {
            // Rust's own panic hook has printed the panic.
            let _ = catch_unwind(AssertUnwindSafe(|| callback(report)));
        }
    }

    /// Calls the callbacks on a thread of their own, and waits for them until this deadline.
    /// Complains about a callback that has not returned by then.
    pub(super) async fn call_on_thread(
        &self,
        report: &Report,
        deadline: Instant,
        console: &Console,
    ) {
        if self.lock().is_empty() {
            return;
        }
        let (sender, returned) = oneshot::channel();
        let (callbacks, seen) = (self.clone(), report.clone());
        let started = thread("lifecycle-report", move || {
            callbacks.call(&seen);
            let _ = sender.send(());
        });
        let complaint = match started {
            Ok(_) if timeout_at(deadline, returned).await.is_ok() => return,
            Ok(_) => NOT_RETURNED.to_owned(),
            Err(error) => {
                format!("`on_report` was not called, as the system refuses a thread: {error}")
            }
        };
        console.complain(&complaint);
        console.clone().flushed(LAST_WORDS).await;
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Callback>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
