//! Calls of a service's function: each is a task or a thread of its own.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;

use tokio::sync::oneshot;
use tokio::task::{AbortHandle, JoinError};
use tracing::Instrument;

use crate::event::Outcome;
use crate::hook::HookMeta;
use crate::hook::error::BoxError;
use crate::hook::runtime::{HookRuntime, TaskOwner};
use crate::hook::task::{Task, TaskResult, thread};
use crate::observe::trace;

/// End of a call: `None` if it was cancelled.
pub(super) type CallEnd = Option<Result<(), Outcome>>;

/// One call of a service's function.
pub(super) struct FunctionCall {
    /// Future of the end; `None` once it has ended.
    end: Option<Pin<Box<dyn Future<Output = CallEnd> + Send>>>,
    /// Handle that cancels the task; `None` for a thread, which can't be cancelled.
    abort: Option<AbortHandle>,
}

impl FunctionCall {
    pub(super) fn begin(task: Task, hook: &'static HookMeta, hooks: &HookRuntime) -> Self {
        let span = trace::span(hook);
        match task {
            Task::Delayed(..) => Self::begin(Task::Future(task.into_future()), hook, hooks),
            Task::Future(future) => {
                let task = hooks.spawn(TaskOwner::Hook(hook), caught(future).instrument(span));
                let abort = Some(task.abort_handle());
                Self { end: Some(Box::pin(async { of_task(task.await) })), abort }
            }
            Task::Blocking(work) => {
                let (sender, result) = oneshot::channel();
                let runtime = hooks.handle().clone();
                let thread = thread(hook.display_name(), move || {
                    // The function may use the async runtime.
                    let _entered = runtime.enter();
                    let end = catch_unwind(AssertUnwindSafe(|| {
                        span.in_scope(|| of_result(work().map(drop)))
                    }));
                    let _ =
                        sender.send(end.unwrap_or_else(|panic| Err(Outcome::panicked(&*panic))));
                });
                let refused = thread.err().map(|error| Outcome::failed(&error.into()));
                let end = async move { refused.map(Err).or(result.await.ok()) };
                Self { end: Some(Box::pin(end)), abort: None }
            }
        }
    }

    /// Cancels the call, if it is a task.
    pub(super) fn cancel(&self) {
        if let Some(abort) = &self.abort {
            abort.abort();
        }
    }

    /// Waits for the end of the call and returns it. Once it has been returned, later calls wait
    /// forever.
    ///
    /// Cancel safe.
    pub(super) async fn ended(&mut self) -> CallEnd {
        let Some(end) = &mut self.end else { return std::future::pending().await };
        let ended = end.await;
        self.end = None;
        ended
    }

    /// Returns `true` if the call has not ended and can't be cancelled.
    pub(super) fn goes_on(&self) -> bool {
        !self.has_ended() && self.abort.is_none()
    }

    pub(super) fn has_ended(&self) -> bool {
        self.end.is_none()
    }
}

/// Runs a service's function to its end. This is also the place that puts an error or a panic into
/// words and drops what the function returns, as all of that runs code of the user's.
async fn caught(
    mut future: Pin<Box<dyn Future<Output = TaskResult> + Send>>,
) -> Result<(), Outcome> {
    poll_fn(move |context| {
        let polled = catch_unwind(AssertUnwindSafe(|| {
            future.as_mut().poll(context).map(|end| of_result(end.map(drop)))
        }));
        polled.unwrap_or_else(|panic| Poll::Ready(Err(Outcome::panicked(&*panic))))
    })
    .await
}

fn of_task(joined: Result<Result<(), Outcome>, JoinError>) -> CallEnd {
    match joined.map_err(JoinError::try_into_panic) {
        Ok(result) => Some(result),
        Err(Ok(panic)) => Some(Err(Outcome::panicked(&*panic))),
        Err(Err(_)) => None,
    }
}

fn of_result(result: Result<(), BoxError>) -> Result<(), Outcome> {
    result.map_err(|error| Outcome::failed(&error))
}
