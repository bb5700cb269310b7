//! Hooks that paused time may have run away from, while they waited for something real.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use crate::event::readable;
use crate::hook::task::{Task, TaskResult};
use crate::hook::{HookMeta, Kind};

/// Paused time that a hook has to have waited before its own error is put down to that: an attempt
/// that is repeated a few times takes less, a connection that is given up takes more.
const LEAST_BEFORE_AN_ERROR: Duration = Duration::from_secs(1);

/// Notes of a run about hooks that waited on paused time. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct Stalls(Arc<StallsInner>);

#[derive(Default)]
struct StallsInner {
    noted: Mutex<Vec<Stall>>,
    is_mute: AtomicBool,
}

/// A hook that ended badly after paused time had passed that was none for the machine.
#[derive(Debug, Clone)]
pub(super) struct Stall {
    pub(super) hook: &'static HookMeta,
    /// Time that it had, by the clock of the test.
    paused: Duration,
    /// The same time, by the clock of the machine.
    real: Duration,
}

impl Stalls {
    /// Watches the task of a hook. A plain `fn` makes time stand still by itself.
    pub(super) fn watch(&self, hook: &'static HookMeta, task: Task) -> Task {
        match task {
            Task::Future(body) => {
                let stalls = self.clone();
                Task::future(WatchedFuture { body, hook, began: None, stalls })
            }
            blocking @ Task::Blocking(_) => blocking,
        }
    }

    /// Notes nothing from now on: what hooks wait for may be injected.
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
    /// Returns what to do, if the hook did wait for something real.
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

/// A hook's future, and when it began.
struct WatchedFuture {
    body: Pin<Box<dyn Future<Output = TaskResult> + Send>>,
    hook: &'static HookMeta,
    /// By the clock of the machine, and by that of the test. `None` before the first poll, and
    /// after the last.
    began: Option<(std::time::Instant, Instant)>,
    stalls: Stalls,
}

impl WatchedFuture {
    fn note(&mut self, least: Duration) {
        let Some((real, paused)) = self.began.take() else { return };
        let stall = Stall { hook: self.hook, paused: paused.elapsed(), real: real.elapsed() };
        // On a clock that runs by itself both are the same, but for what passes between two looks
        // at it.
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
