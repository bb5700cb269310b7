//! Async runtime that hooks run on. A hook that blocks a thread of it must not hold up the hooks
//! that wait for timers and sockets.
//!
//! One of tokio's threads waits for the timers and sockets of all tasks. When it has found
//! something for a task it runs that task, and no other thread takes its place unless there is more
//! to run. If that task blocks, timers don't go off and sockets aren't noticed until another thread
//! is woken. So while a poll of a hook takes long, [`HookRuntime::keep_awake`] wakes another thread
//! now and then.
//!
//! Two limits are left. A task that a hook has woken right before it blocks stays with the hook's
//! thread, as no other thread takes it over from there. Tasks that hooks start by `tokio::spawn`
//! are not watched.

mod polls;

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::JoinHandle;
use tokio::time::sleep;

pub(crate) use polls::TaskOwner;
use polls::{CountedTask, PollsInProgress};

/// Time for which a hook that blocks may hold up timers and sockets of others. Shorter polls cost
/// nothing. Where a machine is so busy that any poll takes longer, an empty task is run for each
/// such time.
const PATIENCE: Duration = Duration::from_millis(20);

/// Async runtime that hooks run on. Clones stand for the same one.
#[derive(Clone)]
pub(crate) struct HookRuntime {
    handle: Handle,
    /// Polls in progress. `None` where all hooks share one thread: while it is blocked, no other
    /// can go on.
    polls: Option<Arc<PollsInProgress>>,
}

impl HookRuntime {
    /// Returns the hook runtime of this tokio handle.
    pub(crate) fn new(handle: Handle) -> Self {
        let has_threads = handle.runtime_flavor() != RuntimeFlavor::CurrentThread;
        Self { handle, polls: has_threads.then(Arc::default) }
    }

    /// Returns whether other threads are left if a hook blocks one.
    pub(crate) fn has_threads(&self) -> bool {
        self.polls.is_some()
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Runs a task with code of the user's, who is named if it blocks its thread.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        owner: TaskOwner,
        future: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.handle.spawn(self.counted(owner, future))
    }

    /// Counts the polls of a future among those of hooks.
    pub(crate) fn counted<F: Future>(&self, owner: TaskOwner, future: F) -> Counted<F> {
        Counted { future, task: self.polls.as_ref().map(|polls| polls.enter(owner)) }
    }

    /// Runs code of the user's that may block.
    pub(crate) fn spawn_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        self.handle.spawn_blocking(work)
    }

    /// Returns the owners of the tasks that are in a poll: if no other task goes on, they block its
    /// threads.
    pub(crate) fn polled(&self) -> Vec<TaskOwner> {
        self.polls.as_ref().map(|polls| polls.owners()).unwrap_or_default()
    }

    /// Has a free thread wait for timers and sockets while a poll takes long. It has to be polled
    /// on another runtime.
    pub(crate) async fn keep_awake(&self) -> Infallible {
        let Some(polls) = &self.polls else { return std::future::pending().await };
        let mut woken: Option<JoinHandle<()>> = None;
        loop {
            polls.begun.notified().await;
            loop {
                sleep(PATIENCE).await;
                if !polls.are_in_progress() {
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

pin_project! {
    /// A future whose polls are counted.
    pub(crate) struct Counted<F> {
        #[pin]
        future: F,
        task: Option<CountedTask>,
    }
}

impl<F: Future> Future for Counted<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _poll = this.task.as_ref().map(CountedTask::begin);
        this.future.poll(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_poll_that_blocks_holds_up_no_timer_of_another_task() {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let hooks = HookRuntime::new(runtime.handle().clone());
        let (release, blocks) = std::sync::mpsc::channel::<()>();
        hooks.spawn(TaskOwner::Unknown, async move {
            sleep(Duration::from_millis(10)).await;
            let _ = blocks.recv();
        });
        let waits = hooks.spawn(TaskOwner::Unknown, async {
            sleep(Duration::from_millis(50)).await;
        });
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
}
