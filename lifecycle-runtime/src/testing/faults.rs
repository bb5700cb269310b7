//! Faults that a test injects into hooks.

use std::error::Error;
use std::fmt;
use std::future::{pending, poll_fn};
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::Poll;
use std::time::Duration;

use futures_util::future::FutureExt;

use crate::hook::HookMeta;
use crate::hook::error::BoxError;
use crate::hook::task::{Task, TaskResult};

/// Future of a hook that is to have a fault.
type FaultyFuture = Pin<Box<dyn Future<Output = TaskResult> + Send>>;

/// Fault of a hook, for [`TestAppBuilder::inject`](super::TestAppBuilder::inject).
///
/// ```standalone_crate
/// use lifecycle_runtime::testing::{Fault, TestApp};
/// use lifecycle_runtime::{Stop, service};
///
/// #[service(restart = "on_failure")]
/// async fn outbox(stop: Stop) { stop.requested().await; }
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// let fault = Fault::fail("the queue is gone").on_run(1);
/// let app = TestApp::builder().inject::<outbox>(fault).start().await;
/// # use lifecycle_runtime::testing::Moment;
/// # app.until(Moment::ready::<outbox>().times(2)).await;
/// let report = app.stop().await;
/// assert_eq!(report.services[0].restarts, 1);
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Fault {
    what: FaultKind,
    /// Number of the run of the hook that has the fault; `None` for every run.
    run: Option<u32>,
    /// Number of the await in the body at which the fault comes up; `None` for before the body.
    at_await: Option<u32>,
}

#[derive(Debug, Clone)]
enum FaultKind {
    Fail(Injected),
    Panic,
    Hang,
    Delay(Duration),
}

impl Fault {
    /// Returns a fault by which the hook fails with this error without running, or [inside its
    /// body](Self::at_await).
    pub fn fail(error: impl Into<BoxError>) -> Self {
        Self::of(FaultKind::Fail(Injected(error.into().into())))
    }

    /// Returns a fault by which the hook panics without running, or [inside its
    /// body](Self::at_await).
    #[must_use]
    pub fn panic() -> Self {
        Self::of(FaultKind::Panic)
    }

    /// Returns a fault by which the hook begins and never ends, unless it is cancelled. This
    /// includes a plain `fn`, which could not be cancelled without the fault.
    #[must_use]
    pub fn hang() -> Self {
        Self::of(FaultKind::Hang)
    }

    /// Returns a fault by which the hook runs this much later. Its `timeout` also covers the delay.
    #[must_use]
    pub fn delay(by: Duration) -> Self {
        Self::of(FaultKind::Delay(by))
    }

    /// Limits the fault to the `n`th run of the hook, counted from 1. By default it comes up on
    /// every run: services, health checks and signal hooks run more than once.
    #[must_use]
    pub fn on_run(mut self, n: u32) -> Self {
        self.run = Some(n);
        self
    }

    /// Moves the fault into the body of the hook: to its `n`th await that has to wait, counted from
    /// 1 in each run.
    ///
    /// Each poll of the hook that returns `Pending` counts. An await whose value is there at once
    /// does not wait and does not count: a fake that should make the hook wait awaits
    /// [`tokio::task::yield_now`] before it answers. A `select!` or `join!` counts again whenever
    /// one of its branches goes on and the whole still waits. A nested `async fn` counts as if it
    /// stood in the hook itself. Tasks that the hook spawns do not count.
    ///
    /// At that await the body has begun to wait. [`fail`](Self::fail) and [`panic`](Self::panic)
    /// drop the body, with everything that it holds, and then end the hook; [`hang`](Self::hang)
    /// never resumes it and keeps what it holds; [`delay`](Self::delay) resumes it later. A plain
    /// `fn` has no await. An `n`th await that never comes is a mistake of the test, like any fault
    /// that never comes up.
    ///
    /// This test shows a batch that was taken and not written:
    ///
    /// ```standalone_crate
    /// use lifecycle_runtime::testing::{Fault, Moment, TestApp};
    /// use lifecycle_runtime::{Dep, Stop, on_startup, service};
    /// use std::sync::Mutex;
    /// # async fn deliver(_: Vec<u32>) { tokio::task::yield_now().await }
    ///
    /// #[on_startup]
    /// async fn queue() -> Mutex<Vec<u32>> { Mutex::new(vec![1, 2, 3]) }
    ///
    /// #[service(restart = "on_failure")]
    /// async fn outbox(queue: Dep<queue>, stop: Stop) {
    ///     let batch = std::mem::take(&mut *queue.lock().unwrap());
    ///     deliver(batch).await;
    ///     stop.requested().await;
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// let fault = Fault::fail("connection reset").at_await(1).on_run(1);
    /// let app = TestApp::builder().inject::<outbox>(fault).start().await;
    /// app.until(Moment::ready::<outbox>().times(2)).await;
    /// let is_lost = app.get::<queue>().lock().unwrap().is_empty();
    /// assert!(is_lost, "a bug of `outbox`");
    /// app.stop().await.assert_clean();
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// If `n` is 0: awaits are counted from 1.
    #[must_use]
    #[track_caller]
    pub fn at_await(mut self, n: u32) -> Self {
        assert!(n > 0, "awaits are counted from 1");
        self.at_await = Some(n);
        self
    }

    fn of(what: FaultKind) -> Self {
        Self { what, run: None, at_await: None }
    }

    /// Returns the task with this fault.
    pub(super) fn apply(self, task: Task) -> Task {
        match self.what {
            FaultKind::Fail(error) => Task::future(async move { Err(error.into()) }),
            FaultKind::Panic => Task::future(async { injected_panic() }),
            FaultKind::Hang => Task::future(pending()),
            FaultKind::Delay(by) => {
                let wait = tokio::time::sleep(by);
                match task {
                    Task::Future(future) => Task::future(async move {
                        wait.await;
                        future.await
                    }),
                    Task::Blocking(work) => Task::Delayed(Box::pin(wait), work),
                    Task::Delayed(before, work) => {
                        Task::Delayed(Box::pin(before.then(|()| wait)), work)
                    }
                }
            }
        }
    }
}

/// Error that a test gave, in a form that each run of the hook can return.
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

fn injected_panic() -> ! {
    panic!("injected by the test")
}

/// Fault of a hook in one run of the app, with the line of the test that injects it.
pub(super) struct HookFault {
    pub(super) hook: &'static HookMeta,
    pub(super) fault: Fault,
    pub(super) place: &'static Location<'static>,
    counts: Arc<FaultCounts>,
}

/// Counts of a hook's runs and waits, up to its fault.
#[derive(Default)]
struct FaultCounts {
    /// Number of runs that began.
    runs: AtomicU32,
    /// Number of times that the fault has come up.
    hits: AtomicU32,
    /// Highest number of times that a body has waited in one run.
    waits: AtomicU32,
    is_plain: AtomicBool,
}

impl HookFault {
    pub(super) fn new(
        hook: &'static HookMeta,
        fault: Fault,
        place: &'static Location<'static>,
    ) -> Self {
        Self { hook, fault, place, counts: Arc::default() }
    }

    /// Returns whether the fault comes up inside the body of the hook.
    pub(super) fn is_of_body(&self) -> bool {
        self.fault.at_await.is_some()
    }

    /// Returns the task of the next run of the hook, with the fault if this run has one. `released`
    /// is set while time has to pass for the fault.
    pub(super) fn next(&self, task: Task, released: &Arc<AtomicBool>) -> Task {
        let run = self.counts.runs.fetch_add(1, Ordering::Relaxed) + 1;
        if self.fault.run.is_some_and(|at| at != run) {
            return task;
        }
        match (self.fault.at_await, task) {
            (None, task) => {
                self.counts.hits.fetch_add(1, Ordering::Relaxed);
                self.fault.clone().apply(task)
            }
            (Some(n), Task::Future(body)) => {
                let counts = Arc::clone(&self.counts);
                Task::future(within(body, n, self.fault.what.clone(), counts, Arc::clone(released)))
            }
            (Some(_), plain) => {
                self.counts.is_plain.store(true, Ordering::Relaxed);
                plain
            }
        }
    }

    /// Returns the mistake of the test if the fault never came up.
    pub(super) fn unused(&self) -> Option<String> {
        let FaultCounts { runs, hits, waits, is_plain } = &*self.counts;
        if hits.load(Ordering::Relaxed) > 0 {
            return None;
        }
        let name = self.hook.name();
        let runs = runs.load(Ordering::Relaxed);
        let run = self.fault.run.unwrap_or(1);
        let times = if runs == 1 { "once".to_owned() } else { format!("{runs} times") };
        let too_few = format!("run {run} of `{name}` never came, it ran {times}");
        let reason = match (self.fault.run, self.fault.at_await) {
            _ if runs == 0 => format!("`{name}` never ran"),
            (Some(at), _) if runs < at => too_few,
            _ if is_plain.load(Ordering::Relaxed) => {
                format!("`{name}` is a plain `fn`, which has no await; leave out `at_await`")
            }
            (_, Some(at)) => {
                let waited = match waits.load(Ordering::Relaxed) {
                    0 => "never waited".to_owned(),
                    1 => "waited once".to_owned(),
                    times => format!("waited {times} times"),
                };
                format!(
                    "await {at} of `{name}` never came, its body {waited}; an await that is ready \
                     at once does not count"
                )
            }
            _ => too_few,
        };
        Some(format!("{}: the fault never came up: {reason}", self.place))
    }
}

/// Runs a body until it waits for the `n`th time, and then applies the fault.
async fn within(
    mut body: FaultyFuture,
    n: u32,
    what: FaultKind,
    counts: Arc<FaultCounts>,
    released: Arc<AtomicBool>,
) -> TaskResult {
    let mut waits = 0;
    let ended = poll_fn(|context| {
        let polled = body.as_mut().poll(context);
        if let Poll::Ready(result) = polled {
            return Poll::Ready(Some(result));
        }
        waits += 1;
        counts.waits.fetch_max(waits, Ordering::Relaxed);
        if waits == n { Poll::Ready(None) } else { Poll::Pending }
    });
    if let Some(result) = ended.await {
        return result;
    }
    counts.hits.fetch_add(1, Ordering::Relaxed);
    match what {
        FaultKind::Fail(error) => {
            drop(body);
            Err(error.into())
        }
        FaultKind::Panic => {
            drop(body);
            injected_panic()
        }
        FaultKind::Hang => {
            let _held = body;
            released.store(true, Ordering::Relaxed);
            pending().await
        }
        FaultKind::Delay(by) => {
            released.store(true, Ordering::Relaxed);
            tokio::time::sleep(by).await;
            released.store(false, Ordering::Relaxed);
            body.await
        }
    }
}
