//! Detection of hooks that waited for something real while paused time ran ahead.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use crate::event::readable;
use crate::hook::task::{Task, TaskResult};
use crate::hook::{HookMeta, Kind};

/// Paused time that a hook must have waited before its own error is blamed on the wait. A few
/// retries take less; giving up on a connection takes more.
const LEAST_BEFORE_AN_ERROR: Duration = Duration::from_secs(1);

/// Record of the hooks of a run that waited on paused time. Clones share one record.
#[derive(Clone, Default)]
pub(super) struct Stalls(Arc<StallsInner>);

#[derive(Default)]
struct StallsInner {
    noted: Mutex<Vec<Stall>>,
    is_mute: AtomicBool,
}

/// Failed or cancelled hook that waited longer by paused time than by the machine's clock.
#[derive(Debug, Clone)]
pub(super) struct Stall {
    pub(super) hook: &'static HookMeta,
    /// Time from its first poll to its end, by the clock of the test.
    paused: Duration,
    /// The same time, by the machine's clock.
    real: Duration,
}

impl Stalls {
    /// Wraps the task of a hook so that its stall is recorded. Blocking tasks are returned
    /// unchanged, as paused time stands still while a plain `fn` runs.
    pub(super) fn watch(&self, hook: &'static HookMeta, task: Task) -> Task {
        match task {
            Task::Future(body) => {
                let stalls = self.clone();
                Task::future(WatchedFuture { body, hook, began: None, stalls })
            }
            plain => plain,
        }
    }

    /// Stops the recording: what hooks wait for may be an injected fault.
    pub(super) fn mute(&self) {
        self.0.is_mute.store(true, Ordering::Relaxed);
    }

    pub(super) fn noted(&self) -> Vec<Stall> {
        self.all().clone()
    }

    fn all(&self) -> MutexGuard<'_, Vec<Stall>> {
        self.0.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stall {
    /// Returns advice for the case that the hook did wait for something real.
    pub(super) fn advice(&self) -> String {
        let name = self.hook.name();
        let (paused, real) = (readable(self.paused), readable(self.real));
        let passes = "let time pass by `start_paused = false`";
        let what_to_do = if self.hook.kind() == Kind::Service {
            format!("replace it by `replace::<{name}>(…)`, or {passes}")
        } else {
            format!(
                "have time stand still for it by `real_io::<{name}>()`, or for all hooks by \
                 `real_io_for_all()`, or {passes}"
            )
        };
        format!(
            "`{name}` waited {paused} of paused time, which were {real} of the machine's; if it \
             waited for something real, as a database, a file or a connection, {what_to_do}"
        )
    }
}

/// Future of a hook, which records how long the hook waited if it fails or is cancelled.
struct WatchedFuture {
    body: Pin<Box<dyn Future<Output = TaskResult> + Send>>,
    hook: &'static HookMeta,
    /// Moment of the first poll, by the machine's clock and by that of the test. `None` before the
    /// first poll and after the last.
    began: Option<(std::time::Instant, Instant)>,
    stalls: Stalls,
}

impl WatchedFuture {
    fn note(&mut self, least: Duration) {
        let Some((real, paused)) = self.began.take() else { return };
        let stall = Stall { hook: self.hook, paused: paused.elapsed(), real: real.elapsed() };
        // On a clock that is not paused both times are equal, except for what passes between the
        // two readings.
        let skipped = stall.paused.saturating_sub(stall.real);
        if skipped > least.max(stall.paused / 2) && !self.stalls.0.is_mute.load(Ordering::Relaxed) {
            self.stalls.all().push(stall);
        }
    }
}

impl Future for WatchedFuture {
    type Output = TaskResult;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<TaskResult> {
        let this = &mut *self;
        this.began.get_or_insert_with(|| (std::time::Instant::now(), Instant::now()));
        let polled = this.body.as_mut().poll(context);
        match &polled {
            Poll::Pending => {}
            Poll::Ready(Ok(_)) => this.began = None,
            Poll::Ready(Err(_)) => this.note(LEAST_BEFORE_AN_ERROR),
        }
        polled
    }
}

impl Drop for WatchedFuture {
    fn drop(&mut self) {
        self.note(Duration::ZERO);
    }
}
