//! Tasks that request handlers leave running. They are named after their requests, awaited in the
//! drain, and counted.

mod counts;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::future::{Ready, pending, ready};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use actix_web::dev::Payload;
use actix_web::http::Method;
use actix_web::http::uri::PathAndQuery;
use actix_web::{Error, FromRequest, HttpRequest};
use futures_util::future::FutureExt;
use slab::Slab;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::extract::of_the_framework;
use super::panics::PanicEvents;
use super::traffic::request_info;
use crate::event::{RequestInfo, RequestPanic, Tasks, Wait};
use crate::hook::error::panic_text;
use crate::hook::runtime::{HookRuntime, TaskOwner};

/// Time that workers and handlers' tasks have to drop what was cut off. No client is waited for. On
/// a machine that is too busy for it, the report counts what is not dropped yet as left behind, and
/// the stop goes on.
pub(super) const LEAVING: Duration = Duration::from_millis(100);

/// Number of tasks, the longest first, that are named in the list of what a stop waits for.
const NAMED: usize = 5;

/// Handle with which a request handler spawns tasks that go on after the response, and for which a
/// stop waits.
///
/// A task has the time of a request: until the shutdown hooks begin, or `drain_timeout`. One that
/// has not ended then, or at a second signal, is cancelled at its next await and counts as cut off:
/// the report names it by its request, and the exit code is 3. The values that it uses are not torn
/// down before it has ended, unless it blocks its thread. A panic ends only the task; it is
/// counted and told with its request, and its message is on stderr.
///
/// A task that `actix_web::rt::spawn` or `tokio::spawn` starts has none of this: it is dropped with
/// its worker thread, and the report says that there was one. The report says nothing about such
/// tasks of a worker that cuts off an HTTP/2 connection or a WebSocket, or that drops the handler
/// of an HTTP/2 client which has left. Their requests are such tasks themselves, so the worker
/// can't tell.
///
/// Tasks run on the async runtime of the hooks. For work that has to survive a crash, use a queue
/// on disk and a service that works it off.
///
/// ```
/// use actix_web::{HttpResponse, post};
/// use lifecycle_runtime::BackgroundTasks;
///
/// #[post("/orders")]
/// async fn order(tasks: BackgroundTasks) -> HttpResponse {
///     tasks.spawn(async {
///         send_confirmation().await;
///     });
///     HttpResponse::Accepted().finish()
/// }
/// # async fn send_confirmation() {}
/// ```
///
/// In a unit test of a handler, give the app a set of its own:
/// `App::new().app_data(BackgroundTasks::detached())`.
#[derive(Clone)]
pub struct BackgroundTasks {
    set: TaskSet,
    request: Request,
}

/// Request after which a task is named.
#[derive(Clone)]
struct Request {
    method: Method,
    path: Option<PathAndQuery>,
}

impl BackgroundTasks {
    /// Returns a set that belongs to no run, for unit tests: nothing waits for its tasks.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn detached() -> Self {
        let set = TaskSet::new(HookRuntime::new(Handle::current()), PanicEvents::default());
        Self { set, request: Request { method: Method::GET, path: None } }
    }

    /// Runs a task beside the request and after it. A task does not begin once the servers are
    /// closed.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let entry = TaskEntry::new(&self.set, self.request.clone());
        let owner = entry.key.map_or(TaskOwner::Unknown, TaskOwner::Handler);
        let over = self.set.0.over.clone();
        let caught = AssertUnwindSafe(task).catch_unwind();
        let task = async move {
            let end = over.run_until_cancelled_owned(caught).await;
            entry.end(match end {
                Some(Ok(())) => TaskOutcome::Finished,
                Some(Err(panic)) => TaskOutcome::Panicked(panic_text(&*panic)),
                None => TaskOutcome::Cut,
            });
        };
        drop(self.set.0.runtime.spawn(owner, task.boxed()));
    }
}

impl FromRequest for BackgroundTasks {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let named = || Request {
            method: request.method().clone(),
            path: request.uri().path_and_query().cloned(),
        };
        ready(match request.app_data::<Self>() {
            Some(own) => Ok(Self { set: own.set.clone(), request: named() }),
            None => of_the_framework::<TaskSet>(request)
                .map(|set| Self { set: set.clone(), request: named() }),
        })
    }
}

/// Outcome of a task.
enum TaskOutcome {
    Finished,
    Panicked(String),
    Cut,
}

/// Set of the tasks of all handlers of a run. Clones share it.
#[derive(Clone)]
pub(crate) struct TaskSet(Arc<TaskSetInner>);

struct TaskSetInner {
    runtime: HookRuntime,
    panics: PanicEvents,
    rows: Mutex<TaskRows>,
    /// Number of tasks that have not been dropped.
    alive: watch::Sender<usize>,
    /// Token that cancels the tasks.
    over: CancellationToken,
}

#[derive(Default)]
struct TaskRows {
    open: Slab<TaskRow>,
    so_far: Tasks,
    /// Set once the open tasks have been counted as cut off.
    is_cut: bool,
}

struct TaskRow {
    request: Request,
    since: Instant,
}

impl TaskSet {
    pub(crate) fn new(runtime: HookRuntime, panics: PanicEvents) -> Self {
        let (rows, alive, over) =
            (Mutex::default(), watch::Sender::new(0), CancellationToken::new());
        Self(Arc::new(TaskSetInner { runtime, panics, rows, alive, over }))
    }

    /// Spawns a task that never ends.
    #[cfg(test)]
    pub(crate) fn spawn_endless(&self) {
        let request = Request { method: Method::GET, path: None };
        BackgroundTasks { set: self.clone(), request }.spawn(pending());
    }

    /// Returns the counts so far.
    pub(crate) fn counts(&self) -> Tasks {
        self.lock().so_far.clone()
    }

    /// Waits until no task is left.
    pub(crate) async fn none_left(&self) {
        // The set holds the sender, so it is there.
        let _ = self.0.alive.subscribe().wait_for(|number| *number == 0).await;
    }

    /// Waits until `spawning` is done and no task is left. Cuts off the tasks that are left when
    /// `limit` is over. No task begins after that.
    pub(crate) async fn finish(
        &self,
        spawning: impl Future<Output = ()>,
        limit: impl Future<Output = ()>,
    ) {
        let has_left = Notify::new();
        let ended = async {
            spawning.await;
            tokio::select! {
                () = self.none_left() => {}
                // A task that blocks its thread goes on.
                () = has_left.notified() => {}
            }
        };
        let cut = async {
            limit.await;
            self.cut();
            // The workers that spawned the tasks leave in the same time.
            sleep(LEAVING).await;
            has_left.notify_one();
            pending::<Infallible>().await
        };
        tokio::select! {
            biased;
            () = ended => {}
            never = cut => match never {},
        }
        self.cut();
        self.lock().so_far.left = *self.0.alive.borrow();
    }

    /// Counts the open tasks as cut off, and cancels them.
    fn cut(&self) {
        let mut rows = self.lock();
        rows.is_cut = true;
        let open = std::mem::take(&mut rows.open);
        rows.so_far.cut.extend(open.iter().map(|(_, row)| row.info()));
        drop(rows);
        self.0.over.cancel();
    }

    /// Returns the tasks that run, if there are any.
    pub(crate) fn now(&self) -> Option<Wait> {
        let rows = self.lock();
        let mut longest: Vec<&TaskRow> = rows.open.iter().map(|(_, row)| row).collect();
        if longest.is_empty() {
            return None;
        }
        longest.sort_by_key(|row| row.since);
        let count = longest.len();
        let longest = longest.into_iter().take(NAMED).map(TaskRow::info).collect();
        Some(Wait::Tasks { count, longest })
    }

    /// Returns the code that blocks the threads of the hooks' runtime, which has been stalled for
    /// this time.
    pub(crate) fn holders(&self, stalled_for: Duration) -> Vec<Wait> {
        let owners = self.0.runtime.polled();
        let rows = self.lock();
        let holder = |owner| match owner {
            TaskOwner::Hook(hook) => Some(Wait::Hook { hook, running: stalled_for }),
            TaskOwner::Handler(key) => {
                let longest = vec![rows.open.get(key)?.info()];
                Some(Wait::Tasks { count: 1, longest })
            }
            TaskOwner::Unknown => None,
        };
        owners.into_iter().filter_map(holder).collect()
    }

    fn lock(&self) -> MutexGuard<'_, TaskRows> {
        self.0.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TaskRow {
    fn info(&self) -> RequestInfo {
        let Request { method, path } = &self.request;
        request_info(method, path.as_ref(), self.since)
    }
}

/// Guard of a task's row in the table, dropped with the task.
struct TaskEntry {
    set: TaskSet,
    /// Key of the row; `None` once the row is gone.
    key: Option<usize>,
}

impl TaskEntry {
    fn new(set: &TaskSet, request: Request) -> Self {
        set.0.alive.send_modify(|number| *number += 1);
        let row = TaskRow { request, since: Instant::now() };
        let mut rows = set.lock();
        let key = if rows.is_cut {
            // A handler that was cut off as well has spawned it.
            rows.so_far.cut.push(row.info());
            None
        } else {
            Some(rows.open.insert(row))
        };
        drop(rows);
        Self { set: set.clone(), key }
    }

    fn end(mut self, outcome: TaskOutcome) {
        self.end_row(outcome);
    }

    fn end_row(&mut self, outcome: TaskOutcome) {
        let Some(key) = self.key.take() else { return };
        let mut rows = self.set.lock();
        // A cut has removed it, if there was one.
        if rows.is_cut {
            return;
        }
        let row = rows.open.remove(key);
        match outcome {
            TaskOutcome::Finished => rows.so_far.finished += 1,
            TaskOutcome::Panicked(message) => {
                rows.so_far.panicked += 1;
                let panic = RequestPanic { request: row.info(), message: Some(message) };
                rows.so_far.last_panic = Some(panic.clone());
                drop(rows);
                self.set.0.panics.emit(panic, true);
            }
            TaskOutcome::Cut => rows.so_far.cut.push(row.info()),
        }
    }
}

impl Drop for TaskEntry {
    fn drop(&mut self) {
        // If it has not ended, it is dropped with its runtime.
        self.end_row(TaskOutcome::Cut);
        self.set.0.alive.send_modify(|number| *number -= 1);
    }
}
