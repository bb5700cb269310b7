//! Hooks made ready to run: every attribute turns its function into a [`Task`].

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use futures_util::future::{BoxFuture, LocalBoxFuture, join_all};
use tokio::runtime::Runtime;
use tokio::task::JoinError;

use crate::hook::error::BoxError;
use crate::hook::output::{HookError, HookOutput, HookValue, SharedValue};

/// A hook's value without its type. The hook that names it gives the type back.
#[derive(Clone)]
pub struct Value {
    /// The shared value; `None` for `()`. Most hooks have no value, and need no place for it.
    shared: Option<SharedValue>,
    needs_drop: bool,
}

impl Value {
    pub(crate) fn new<T: HookValue>(value: T) -> Self {
        Self { shared: value.share(), needs_drop: std::mem::needs_drop::<T>() }
    }

    pub(crate) fn get(&self) -> &(dyn Any + Send + Sync) {
        self.shared.as_deref().unwrap_or(&())
    }

    pub(crate) fn into_shared(self) -> SharedValue {
        self.shared.unwrap_or_else(|| Arc::new(()))
    }

    /// Returns whether dropping this runs code of the user's: code that may block, panic or take
    /// long.
    pub(crate) fn drop_runs_code(&self) -> bool {
        self.needs_drop() && self.others() == 0
    }

    /// Returns whether dropping the last clone of this runs code of the user's.
    pub(crate) fn needs_drop(&self) -> bool {
        self.needs_drop && self.shared.is_some()
    }

    /// Returns the number of others that hold the value.
    pub(crate) fn others(&self) -> usize {
        self.shared.as_ref().map_or(0, |shared| Arc::strong_count(shared) - 1)
    }

    /// Takes the value out, and leaves none.
    pub(crate) fn take(&mut self) -> Self {
        std::mem::replace(self, Self::new(()))
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Value")
    }
}

/// Result of a hook's run: its value or its error.
pub(crate) type TaskResult = Result<Value, BoxError>;

/// The work of one hook: a future for an `async fn`, a closure for the blocking pool for a plain
/// `fn`.
pub enum Task {
    /// Runs as a task of its own on the async runtime.
    Future(Pin<Box<dyn Future<Output = TaskResult> + Send>>),
    /// Runs on a thread of the blocking pool. It can't be cancelled.
    Blocking(Box<dyn FnOnce() -> TaskResult + Send>),
    /// Waits for a future, and then runs as [`Blocking`](Self::Blocking) does: a plain `fn` that a
    /// test has delayed. It can be cancelled only while it waits.
    Delayed(Pin<Box<dyn Future<Output = ()> + Send>>, Box<dyn FnOnce() -> TaskResult + Send>),
}

impl Task {
    /// Boxes a future.
    pub fn future(future: impl Future<Output = TaskResult> + Send + 'static) -> Self {
        Self::Future(Box::pin(future))
    }

    /// Boxes a closure for the blocking pool.
    pub fn blocking(work: impl FnOnce() -> TaskResult + Send + 'static) -> Self {
        Self::Blocking(Box::new(work))
    }

    /// Returns the future of the task, which runs blocking work on the blocking pool and panics as
    /// the work does. The work goes on if the future is dropped.
    pub(crate) fn into_future(self) -> Pin<Box<dyn Future<Output = TaskResult> + Send>> {
        match self {
            Self::Future(future) => future,
            Self::Blocking(work) => Box::pin(on_pool(work)),
            Self::Delayed(wait, work) => Box::pin(async {
                wait.await;
                on_pool(work).await
            }),
        }
    }
}

/// Runs blocking work on the blocking pool, and panics as the work does.
async fn on_pool(work: Box<dyn FnOnce() -> TaskResult + Send>) -> TaskResult {
    match tokio::task::spawn_blocking(work).await.map_err(JoinError::try_into_panic) {
        Ok(result) => result,
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        Err(Err(error)) => Err(error.into()),
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Future(_) => "Task::Future",
            Self::Blocking(_) => "Task::Blocking",
            Self::Delayed(..) => "Task::Delayed",
        })
    }
}

/// Starts a thread. The function is boxed, so that the long code that starts a thread is compiled
/// once.
pub(crate) fn thread(
    name: &str,
    run: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let run: Box<dyn FnOnce() + Send> = Box::new(run);
    thread::Builder::new().name(name.to_owned()).spawn(run)
}

/// Waits for all of these futures. They are boxed, so that the long code that waits for several is
/// compiled once.
pub(crate) async fn all<'f>(futures: impl IntoIterator<Item = BoxFuture<'f, ()>>) {
    let futures: Vec<_> = futures.into_iter().collect();
    join_all(futures).await;
}

/// Runs a future on a runtime. The future is boxed for the same reason.
pub(crate) fn block_on<T>(runtime: &Runtime, future: impl Future<Output = T>) -> T {
    let mut output = None;
    let run: LocalBoxFuture<'_, ()> = Box::pin(async { output = Some(future.await) });
    runtime.block_on(run);
    output.expect("the future has ended")
}

/// Takes the return value of a hook's function apart, into its value or its error.
///
/// # Errors
///
/// The function's own error.
pub fn returned<O>(returned: O::Returned) -> TaskResult
where
    O: HookOutput<Value: HookValue, Error: HookError>,
{
    match O::into_result(returned) {
        Ok(value) => Ok(Value::new(value)),
        Err(error) => Err(error.boxed()),
    }
}
