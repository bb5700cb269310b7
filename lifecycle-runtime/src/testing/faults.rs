//! What goes wrong in a test on purpose.

use std::error::Error;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::error::BoxError;
use crate::hook::HookMeta;
use crate::task::Task;

/// Something that goes wrong in a hook: for [`TestAppBuilder::inject`](super::TestAppBuilder::inject).
///
/// ```standalone_crate
/// use lifecycle_runtime::testing::{Fault, TestApp};
/// use lifecycle_runtime::{Stop, service};
///
/// #[service(restart = "on_failure")]
/// async fn outbox(stop: Stop) { stop.requested().await; }
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// let app = TestApp::builder().inject::<outbox>(Fault::fail("the queue is gone").on_run(1)).start().await;
/// # use lifecycle_runtime::testing::Moment;
/// # app.until(Moment::ready::<outbox>().times(2)).await;
/// let report = app.stop().await;
/// assert_eq!(report.services[0].restarts, 1);
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Fault {
    what: What,
    /// On which run of the hook; `None` for each.
    run: Option<u32>,
}

#[derive(Debug, Clone)]
enum What {
    Fail(Injected),
    Panic,
    Hang,
    Delay(Duration),
}

impl Fault {
    /// The hook fails with this error, without having run.
    pub fn fail(error: impl Into<BoxError>) -> Self {
        Self::of(What::Fail(Injected(error.into().into())))
    }

    /// The hook panics, without having run.
    #[must_use]
    pub fn panic() -> Self {
        Self::of(What::Panic)
    }

    /// The hook begins and never ends, unless it is cancelled. Also of a plain `fn`, which without the fault could not be
    /// cancelled.
    #[must_use]
    pub fn hang() -> Self {
        Self::of(What::Hang)
    }

    /// The hook runs, but this much later. Its `timeout` counts from before that.
    #[must_use]
    pub fn delay(by: Duration) -> Self {
        Self::of(What::Delay(by))
    }

    /// Only on the `n`th run of the hook, counted from 1: services, health checks and hooks of signals run more than once.
    /// On every run, if this is not said.
    #[must_use]
    pub fn on_run(mut self, n: u32) -> Self {
        self.run = Some(n);
        self
    }

    fn of(what: What) -> Self {
        Self { what, run: None }
    }

    pub(super) fn befalls(self, task: Task) -> Task {
        match self.what {
            What::Fail(error) => Task::future(async move { Err(error.into()) }),
            What::Panic => Task::future(async { panic!("injected by the test") }),
            What::Hang => Task::future(std::future::pending()),
            What::Delay(by) => Task::future(async move {
                tokio::time::sleep(by).await;
                match task {
                    Task::Future(future) => future.await,
                    Task::Blocking(work) => tokio::task::spawn_blocking(work).await?,
                }
            }),
        }
    }
}

/// An error that can be returned again and again. It looks like the one that the test gave.
#[derive(Clone)]
struct Injected(Arc<dyn Error + Send + Sync>);

impl fmt::Debug for Injected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Injected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Injected {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

/// The fault of one hook, in one run of the app.
pub(super) struct Planted {
    pub(super) hook: &'static HookMeta,
    pub(super) fault: Fault,
    pub(super) place: &'static Location<'static>,
    /// How often the hook has begun, and how often the fault has come up.
    runs: AtomicU32,
    hits: AtomicU32,
}

impl Planted {
    pub(super) fn new(hook: &'static HookMeta, fault: Fault, place: &'static Location<'static>) -> Self {
        Self { hook, fault, place, runs: AtomicU32::new(0), hits: AtomicU32::new(0) }
    }

    /// The task of the next run of the hook, with what befalls it.
    pub(super) fn next(&self, task: Task) -> Task {
        let run = self.runs.fetch_add(1, Ordering::Relaxed) + 1;
        if self.fault.run.is_some_and(|at| at != run) {
            return task;
        }
        self.hits.fetch_add(1, Ordering::Relaxed);
        self.fault.clone().befalls(task)
    }

    /// What is wrong with a fault that never came up.
    pub(super) fn unused(&self) -> Option<String> {
        if self.hits.load(Ordering::Relaxed) > 0 {
            return None;
        }
        let name = self.hook.name();
        let runs = match (self.fault.run, self.runs.load(Ordering::Relaxed)) {
            (Some(at), runs) if runs > 0 => format!("run {at} of `{name}` never came, it ran {runs} times"),
            _ => format!("`{name}` never ran"),
        };
        Some(format!("{}: the fault never came up: {runs}", self.place))
    }
}
