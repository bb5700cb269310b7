//! [`Service`]: the handle by which a service says that it is ready, and runs tasks of its own.

use std::fmt;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::hook::error::panic_text;
use crate::hook::runtime::{HookRuntime, TaskOwner};
use crate::hook::stop::Stop;

/// Handle of a service on its own run, by which it says that it is ready and runs tasks that end
/// with it.
///
/// Take it as an argument of a `#[service]`. A service that takes it has started when it calls
/// [`ready`](Self::ready), and hooks that need it wait until then. A service that does not take it
/// has started as soon as it runs. Clones are the same handle.
///
/// ```
/// use lifecycle_runtime::Service;
/// use tokio::net::TcpListener;
///
/// // Under `#[service]`.
/// async fn echo(service: Service) -> std::io::Result<()> {
///     let listener = TcpListener::bind("127.0.0.1:7000").await?;
///     service.ready();
///     let stop = service.stop();
///     loop {
///         tokio::select! {
///             accepted = listener.accept() => {
///                 let (mut socket, _) = accepted?;
///                 service.spawn(async move {
///                     let (mut from, mut to) = socket.split();
///                     let _ = tokio::io::copy(&mut from, &mut to).await;
///                 });
///             }
///             () = stop.requested() => return Ok(()),
///         }
///     }
/// }
/// ```
#[derive(Clone)]
pub struct Service {
    shared: Arc<ServiceInner>,
}

struct ServiceInner {
    stop: Stop,
    ready: watch::Sender<bool>,
    tasks: TaskTracker,
    /// Token that ends the tasks.
    over: CancellationToken,
    /// Token that tells the function that its run has failed.
    failed: CancellationToken,
    /// Progress of the run that the supervisor has noticed.
    progress: watch::Sender<ServiceProgress>,
    /// Message of the first task that panicked.
    panic: watch::Sender<Option<String>>,
    runtime: Option<HookRuntime>,
    /// Owner of the tasks.
    owner: TaskOwner,
}

/// Progress of a service's run, in the order in which the supervisor notices it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum ServiceProgress {
    #[default]
    Nothing,
    /// The service is ready.
    Ready,
    /// The function has ended: tasks that it has spawned may still run.
    Ended,
}

impl Service {
    /// Returns the handle of one run of a service, which learns of the stop from this signal, and
    /// whose tasks run on this runtime.
    pub(crate) fn new(stop: Stop, runtime: Option<HookRuntime>, owner: TaskOwner) -> Self {
        let failed = CancellationToken::new();
        let shared = ServiceInner {
            stop: stop.of_run(failed.clone()),
            ready: watch::Sender::new(false),
            tasks: TaskTracker::new(),
            over: CancellationToken::new(),
            failed,
            progress: watch::Sender::default(),
            panic: watch::Sender::new(None),
            runtime,
            owner,
        };
        Self { shared: Arc::new(shared) }
    }

    /// Returns a handle of no run, for unit tests of services: its stop signal never fires, and
    /// nothing awaits its tasks.
    ///
    /// ```
    /// use lifecycle_runtime::Service;
    ///
    /// async fn outbox(service: Service) { service.ready() }
    ///
    /// # #[tokio::main] async fn main() {
    /// outbox(Service::detached()).await;
    /// # }
    /// ```
    #[must_use]
    pub fn detached() -> Self {
        let runtime = Handle::try_current().ok().map(HookRuntime::new);
        Self::new(Stop::never(), runtime, TaskOwner::Unknown)
    }

    /// Says that the service is ready, so that hooks that need it may start. A second call does
    /// nothing.
    pub fn ready(&self) {
        self.shared.ready.send_if_modified(|ready| !std::mem::replace(ready, true));
    }

    /// Returns the service's stop signal, the same as its argument `Stop`.
    #[must_use]
    pub fn stop(&self) -> Stop {
        self.shared.stop.clone()
    }

    /// Runs a task that ends with the service. The service has ended well only once its tasks have,
    /// too. They are cancelled if the service fails or runs out of time. A task that panics fails
    /// the service: an `async fn` is cancelled, and a plain `fn` learns of it from its
    /// [`Stop`](Self::stop), and should return.
    ///
    /// # Panics
    ///
    /// If the handle was made outside of a tokio runtime, by [`detached`](Self::detached), and this
    /// call is outside of one, too.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let (over, shared) = (self.shared.over.clone(), Arc::downgrade(&self.shared));
        let mut task = Box::pin(task);
        let task = async move {
            let caught = poll_fn(|context| {
                match catch_unwind(AssertUnwindSafe(|| task.as_mut().poll(context))) {
                    Ok(poll) => poll.map(Ok),
                    Err(panic) => Poll::Ready(Err(panic)),
                }
            });
            if let (Some(Err(panic)), Some(shared)) =
                (over.run_until_cancelled(caught).await, shared.upgrade())
            {
                shared.panic.send_if_modified(|first| {
                    let is_first = first.is_none();
                    first.get_or_insert_with(|| panic_text(&*panic));
                    is_first
                });
            }
        };
        match &self.shared.runtime {
            Some(runtime) => {
                let task = runtime.counted(self.shared.owner, task);
                self.shared.tasks.spawn_on(task, runtime.handle())
            }
            None => self.shared.tasks.spawn(task),
        };
    }

    pub(crate) async fn is_ready(&self) {
        // This can't fail: the sender is in this handle.
        let _ = self.shared.ready.subscribe().wait_for(|ready| *ready).await;
    }

    /// Returns a receiver of the message of the first task that panics from now on.
    pub(crate) fn panics(&self) -> watch::Receiver<Option<String>> {
        self.shared.panic.subscribe()
    }

    /// Notes that the supervisor has noticed this progress.
    pub(crate) fn set_progress(&self, progress: ServiceProgress) {
        self.shared.progress.send_modify(|latest| *latest = progress.max(*latest));
    }

    /// Waits until the supervisor has noticed this progress, or the tasks are ended.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) async fn reached(&self, progress: ServiceProgress) {
        let mut latest = self.shared.progress.subscribe();
        let reached = latest.wait_for(|latest| *latest >= progress);
        // This can't fail: the sender is in this handle.
        let _ = self.shared.over.run_until_cancelled(reached).await;
    }

    /// Ends the tasks, including those that are still to come.
    pub(crate) fn cancel_tasks(&self) {
        self.shared.over.cancel();
    }

    /// Tells the function by its stop signal that its run has failed.
    pub(crate) fn announce_failure(&self) {
        self.shared.failed.cancel();
    }

    pub(crate) fn has_tasks(&self) -> bool {
        !self.shared.tasks.is_empty()
    }

    /// Waits until no task is left.
    pub(crate) async fn tasks_ended(&self) {
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ServiceInner { ready, tasks, .. } = &*self.shared;
        f.debug_struct("Service")
            .field("ready", &*ready.borrow())
            .field("tasks", &tasks.len())
            .finish_non_exhaustive()
    }
}
