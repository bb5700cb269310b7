//! Spawn of a hook's task, whose completion carries the outcome.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::FutureExt;
use tokio::task::JoinHandle;
use tracing::{Instrument, Span};

use super::completion::CompletionGuard;
use super::progress::TaskProgress;
use crate::event::Outcome;
use crate::hook::runtime::{HookRuntime, TaskOwner};
use crate::hook::task::{Task, TaskResult, Value};
use crate::hook::{HookMeta, Kind};

/// Spawns the task of a hook in this span. A future is inside of it only if a subscriber is
/// interested in it.
pub(super) fn spawn(
    hooks: &HookRuntime,
    hook: &'static HookMeta,
    task: Task,
    span: Span,
    completion: CompletionGuard,
    progress: Arc<TaskProgress>,
) -> JoinHandle<()> {
    match task {
        Task::Blocking(work) => {
            hooks.spawn_blocking(blocking(work, hook, span, completion, progress))
        }
        // The work has the completion: that is sent when the work has ended, or is never begun.
        Task::Delayed(wait, work) => {
            progress.set(TaskProgress::WAITS);
            let pool = hooks.clone();
            let work = blocking(work, hook, span, completion, progress);
            hooks.spawn(TaskOwner::Hook(hook), async move {
                wait.await;
                drop(pool.spawn_blocking(work));
            })
        }
        Task::Future(future) => {
            let future = HookFuture { future: Some(future), hook, completion, progress };
            if span.is_disabled() {
                hooks.spawn(TaskOwner::Hook(hook), future)
            } else {
                hooks.spawn(TaskOwner::Hook(hook), future.instrument(span).boxed())
            }
        }
    }
}

/// Returns the closure that runs a hook's work on the blocking pool.
fn blocking(
    work: Box<dyn FnOnce() -> TaskResult + Send>,
    hook: &'static HookMeta,
    span: Span,
    mut completion: CompletionGuard,
    progress: Arc<TaskProgress>,
) -> impl FnOnce() + Send {
    move || {
        progress.set(TaskProgress::RUNS);
        completion.set_end(caught(|| span.in_scope(|| usable(work(), hook))));
    }
}

/// Future of a hook that catches panics, so that its completion carries the outcome. When it is
/// dropped, the hook's future goes first: a hook has ended for good before its completion is sent.
struct HookFuture {
    future: Option<Pin<Box<dyn Future<Output = TaskResult> + Send>>>,
    hook: &'static HookMeta,
    completion: CompletionGuard,
    progress: Arc<TaskProgress>,
}

impl Future for HookFuture {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let hook = self.hook;
        self.progress.set(TaskProgress::RUNS);
        let Some(future) = &mut self.future else { return Poll::Ready(()) };
        let polled = catch_unwind(AssertUnwindSafe(|| {
            future.as_mut().poll(context).map(|end| usable(end, hook))
        }));
        let result = match polled {
            Ok(Poll::Pending) => {
                self.progress.set(TaskProgress::WAITS);
                return Poll::Pending;
            }
            Ok(Poll::Ready(result)) => result,
            Err(panic) => Err(Outcome::panicked(&*panic)),
        };
        self.completion.set_end(result);
        Poll::Ready(())
    }
}

impl Drop for HookFuture {
    fn drop(&mut self) {
        // The drop of the future runs code of the user's, too.
        self.progress.set(TaskProgress::RUNS);
    }
}

/// Calls a function, and returns its panic as an outcome.
fn caught(call: impl FnOnce() -> Result<Value, Outcome>) -> Result<Value, Outcome> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| Err(Outcome::panicked(&*panic)))
}

/// Drops a value that nobody can name, and puts an error into words. Both run code of the user's
/// and belong to the hook, so they happen here.
fn usable(result: TaskResult, hook: &HookMeta) -> Result<Value, Outcome> {
    match result {
        Ok(value) if hook.kind != Kind::Startup && value.drop_runs_code() => {
            drop(value);
            Ok(Value::new(()))
        }
        result => result.map_err(|error| Outcome::failed(&error)),
    }
}
