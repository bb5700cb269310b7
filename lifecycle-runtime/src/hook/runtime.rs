//! Async runtime that hooks run on. A hook that blocks a thread of it must not hold up the hooks
//! that wait for timers and sockets.
//!
//! One of tokio's threads waits for the timers and sockets of all tasks. When it has found
//! something for a task it runs that task, and no other thread takes its place unless there is more
//! to run. If that task blocks, timers don't go off and sockets aren't noticed until another thread
//! is woken. So while a step of a hook takes long, [`HookRuntime::keep_awake`] wakes another thread
//! now and then.
//!
//! Two limits are left. A task that a hook has woken right before it blocks stays with the hook's
//! thread, as no other thread takes it over from there. Tasks that hooks start by `tokio::spawn`
//! are not watched.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// Time for which a hook that blocks may hold up timers and sockets of others. Shorter steps cost
/// nothing. Where a machine is so busy that any step takes longer, an empty task is run for each
/// such time.
const PATIENCE: Duration = Duration::from_millis(20);

/// Async runtime that hooks run on. Clones stand for the same one.
#[derive(Clone)]
pub(crate) struct HookRuntime {
    handle: Handle,
    /// Steps in progress. `None` where all hooks share one thread: while it is blocked, no other
    /// can go on.
    steps: Option<Arc<PollsInProgress>>,
}

/// The steps of hooks that are in progress: calls of `poll` that have not returned.
#[derive(Default)]
struct PollsInProgress {
    count: AtomicUsize,
    /// Set while [`HookRuntime::keep_awake`] looks at the count from time to time.
    is_watched: AtomicBool,
    begun: Notify,
}

impl HookRuntime {
    /// Returns the hook runtime of this tokio handle.
    pub(crate) fn new(handle: Handle) -> Self {
        let has_threads = handle.runtime_flavor() != RuntimeFlavor::CurrentThread;
        Self { handle, steps: has_threads.then(Arc::default) }
    }

    /// Returns whether other threads are left if a hook blocks one.
    pub(crate) fn has_threads(&self) -> bool {
        self.steps.is_some()
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Runs a task with code of the user's.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.handle.spawn(self.counted(future))
    }

    /// Counts the steps of a future among those of hooks.
    pub(crate) fn counted<F: Future>(&self, future: F) -> Counted<F> {
        Counted { future, steps: self.steps.clone() }
    }

    /// Runs code of the user's that may block.
    pub(crate) fn spawn_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        self.handle.spawn_blocking(work)
    }

    /// Has a free thread wait for timers and sockets while a step takes long. It has to be polled
    /// on another runtime.
    pub(crate) async fn keep_awake(&self) -> Infallible {
        let Some(steps) = &self.steps else { return std::future::pending().await };
        let mut woken: Option<JoinHandle<()>> = None;
        loop {
            steps.begun.notified().await;
            loop {
                sleep(PATIENCE).await;
                if !steps.are_in_progress() {
                    break;
                }
                // A thread that waits for a task runs this one. If the last one has not been run,
                // no thread waits.
                if woken.as_ref().is_none_or(JoinHandle::is_finished) {
                    woken = Some(self.handle.spawn(async {}));
                }
            }
        }
    }
}

impl PollsInProgress {
    fn begin(&self) -> PollInProgress<'_> {
        self.count.fetch_add(1, SeqCst);
        if !self.is_watched.load(SeqCst) && !self.is_watched.swap(true, SeqCst) {
            self.begun.notify_one();
        }
        PollInProgress(self)
    }

    /// Returns whether any step is in progress. If none is, the next one notifies
    /// [`HookRuntime::keep_awake`].
    fn are_in_progress(&self) -> bool {
        if self.count.load(SeqCst) > 0 {
            return true;
        }
        self.is_watched.store(false, SeqCst);
        // A step that has begun in between has notified nobody, as it relied on being seen.
        self.count.load(SeqCst) > 0 && !self.is_watched.swap(true, SeqCst)
    }
}

/// Guard of a step, which is in progress until this is dropped.
struct PollInProgress<'s>(&'s PollsInProgress);

impl Drop for PollInProgress<'_> {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, SeqCst);
    }
}

pin_project! {
    /// A future whose steps are counted.
    pub(crate) struct Counted<F> {
        #[pin]
        future: F,
        steps: Option<Arc<PollsInProgress>>,
    }
}

impl<F: Future> Future for Counted<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _step = this.steps.as_deref().map(PollsInProgress::begin);
        this.future.poll(context)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::FutureExt;

    use super::*;

    #[test]
    fn a_step_that_blocks_holds_up_no_timer_of_another_task() {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let hooks = HookRuntime::new(runtime.handle().clone());
        let (release, blocks) = std::sync::mpsc::channel::<()>();
        hooks.spawn(async move {
            sleep(Duration::from_millis(10)).await;
            let _ = blocks.recv();
        });
        let waits = hooks.spawn(async { sleep(Duration::from_millis(50)).await });
        let own =
            tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        own.block_on(async {
            tokio::select! {
                never = hooks.keep_awake() => match never {},
                ended = waits => ended.expect("no panic"),
                () = sleep(Duration::from_secs(30)) => panic!("its timer has not gone off"),
            }
        });
        drop(release);
    }

    #[test]
    fn a_step_that_begins_while_nobody_looks_says_so() {
        let steps = PollsInProgress::default();
        assert!(!steps.are_in_progress());
        for _ in 0..2 {
            let step = steps.begin();
            assert!(steps.begun.notified().now_or_never().is_some());
            assert!(steps.are_in_progress());
            drop(steps.begin());
            assert!(steps.begun.notified().now_or_never().is_none(), "it is watched");
            drop(step);
            assert!(!steps.are_in_progress());
        }
    }
}
