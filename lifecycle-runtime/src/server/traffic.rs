//! Counts of a server's traffic: its connections, and its requests, which are named from their
//! head's arrival until the response is written.
//!
//! Each worker has a table of its own. A request only takes its worker's lock, which another thread
//! holds no longer than it takes to read the table for a report.

use std::borrow::Cow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use actix_web::http::Method;
use actix_web::http::uri::PathAndQuery;
use slab::Slab;

use super::panics::PanicEvents;
use crate::event::{RequestInfo, ResponseFailure, Traffic, Wait};
use crate::hook::state::State;

mod in_flight;
mod panicked;
#[cfg(test)]
mod tests;

/// Number of requests, the longest first, that are named in the list of what a stop waits for.
const NAMED: usize = 5;

/// Time that a worker has to end its code after a command to do so, before it counts as blocked. It
/// waits for no client. On a machine that is too busy for it, the list of what a stop waits for
/// names a worker that would have ended without it, and nothing else comes of that.
const BLOCKED_AFTER: Duration = Duration::from_millis(150);

/// Table of one worker's traffic. It is aligned so that it shares no cache line with another
/// worker's.
#[derive(Default)]
#[repr(align(64))]
pub(super) struct RequestTable {
    rows: Mutex<RequestRows>,
    /// Key of the request whose handler or body is being polled, plus one; 0 for none.
    polled: AtomicUsize,
    panics: PanicEvents,
}

#[derive(Default)]
struct RequestRows {
    open: Slab<RequestRow>,
    connections: u64,
    so_far: Traffic,
    state: WorkerState,
    /// Number of times that everything in flight has been counted as cut off.
    cuts: u32,
}

/// Progress of a worker towards its end.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum WorkerState {
    #[default]
    Serving,
    /// The worker's code has had to end since this moment, and may still run.
    Leaving(Instant),
    /// The worker's code has ended, except for what runs on the blocking pool.
    Blocking,
    /// All of the worker's code has ended.
    Gone,
}

/// Traffic tables of all workers of a server.
#[derive(Clone)]
pub(crate) struct RequestTables(Arc<[Arc<RequestTable>]>);

impl RequestTables {
    pub(super) fn new(tables: impl IntoIterator<Item = Arc<RequestTable>>) -> Self {
        Self(tables.into_iter().collect())
    }

    /// Returns the counts so far.
    pub(super) fn traffic(&self) -> Traffic {
        self.0.iter().map(|table| table.traffic()).fold(Traffic::default(), Traffic::merge)
    }

    /// Counts the workers that still serve as leaving.
    pub(super) fn hurry(&self) {
        self.0.iter().for_each(|table| table.hurry());
    }

    /// Counts everything in flight as cut off. A worker that isn't blocked has done so itself,
    /// between two steps of its tasks: it knows which responses are written.
    pub(super) fn cut(&self) {
        self.0.iter().for_each(|table| table.cut());
    }

    /// Returns the activities in this state: the requests, and in a stop everything that it waits
    /// for.
    pub(crate) fn now(&self, state: State) -> Vec<Wait> {
        if state >= State::Draining { self.waits() } else { self.requests().into_iter().collect() }
    }

    /// Returns the requests in flight, if there are any.
    fn requests(&self) -> Option<Wait> {
        requests(&self.0)
    }

    /// Returns the requests, connections and workers that a stop waits for.
    fn waits(&self) -> Vec<Wait> {
        let requests = self.requests();
        let tables: Vec<_> = self.0.iter().map(|table| table.lock()).collect();
        let number = |is_in: fn(&WorkerState) -> bool| {
            tables.iter().filter(|rows| is_in(&rows.state)).count()
        };
        // A worker that got the command just now is not blocked.
        let blocked = number(
            |state| matches!(state, WorkerState::Leaving(since) if since.elapsed() > BLOCKED_AFTER),
        );
        let pools = number(|state| *state == WorkerState::Blocking);
        let connections = tables.iter().map(|rows| rows.connections).sum();
        let mut waits = Vec::new();
        if let Some(requests) = requests {
            waits.push(requests);
        } else if connections > 0 {
            waits.push(Wait::Connections { count: connections });
        }
        if blocked > 0 {
            waits.push(Wait::BlockedWorkers { count: blocked });
        }
        if pools > 0 {
            waits.push(Wait::BlockingPools { count: pools });
        }
        waits
    }
}

/// Returns the requests in flight in these tables, if there are any.
fn requests(tables: &[Arc<RequestTable>]) -> Option<Wait> {
    let tables: Vec<_> = tables.iter().map(|table| table.lock()).collect();
    let mut longest: Vec<&RequestRow> = Vec::with_capacity(NAMED + 1);
    for (_, row) in tables.iter().flat_map(|rows| &rows.open) {
        longest.insert(longest.partition_point(|other| other.since <= row.since), row);
        longest.truncate(NAMED);
    }
    let longest: Vec<_> = longest.into_iter().map(RequestRow::info).collect();
    match tables.iter().map(|rows| rows.open.len()).sum() {
        0 => None,
        count => Some(Wait::Requests { count, longest }),
    }
}

struct RequestRow {
    method: Method,
    path: Option<PathAndQuery>,
    since: Instant,
    /// Set once the end of the response is written, even if the client has not acknowledged it.
    is_written: bool,
    /// Set once its handler has panicked, whatever becomes of the response.
    has_panicked: bool,
}

/// Outcome of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RequestOutcome {
    /// The response was written.
    Finished,
    /// The client went away.
    Abandoned,
    /// The response's body ended with this error.
    Failed(String),
}

impl RequestTable {
    /// Makes the table of a worker whose panics are told by these events.
    pub(super) fn new(panics: PanicEvents) -> Self {
        Self { panics, ..Self::default() }
    }

    pub(super) fn traffic(&self) -> Traffic {
        let rows = self.lock();
        let pools_left = usize::from(rows.state == WorkerState::Blocking);
        let workers_left = usize::from(matches!(rows.state, WorkerState::Leaving(_))) + pools_left;
        Traffic { workers_left, pools_left, ..rows.so_far.clone() }
    }

    /// Returns the requests that hold the worker's thread if it is blocked: the one that is being
    /// polled, or else all that are in flight, of which one may have spawned what blocks it.
    pub(super) fn holders(self: &Arc<Self>) -> Vec<Wait> {
        let polled = self.polled.load(Ordering::Relaxed).checked_sub(1);
        let polled = polled.and_then(|key| self.lock().open.get(key).map(RequestRow::info));
        match polled {
            Some(request) => vec![Wait::Requests { count: 1, longest: vec![request] }],
            None => requests(std::slice::from_ref(self)).into_iter().collect(),
        }
    }

    /// Returns the number of requests in flight.
    #[cfg(test)]
    pub(super) fn in_flight(&self) -> usize {
        self.lock().open.len()
    }

    /// Counts everything in flight as cut off, even if handlers still run.
    pub(super) fn cut(&self) {
        let mut rows = self.lock();
        rows.cuts += 1;
        let open = std::mem::take(&mut rows.open);
        for (_, row) in &open {
            if row.has_panicked {
                rows.so_far.requests.panicked += 1;
            } else if row.is_written {
                rows.so_far.requests.finished += 1;
            } else {
                rows.so_far.requests.cut.push(row.info());
            }
        }
        rows.so_far.connections.cut += std::mem::take(&mut rows.connections);
        if rows.state == WorkerState::Serving {
            rows.state = WorkerState::Leaving(Instant::now());
        }
    }

    /// Counts the worker as leaving, if it still serves.
    fn hurry(&self) {
        let mut rows = self.lock();
        if rows.state == WorkerState::Serving {
            rows.state = WorkerState::Leaving(Instant::now());
        }
    }

    /// Notes that the worker's code has ended, except for what runs on the blocking pool.
    pub(super) fn leave(&self) {
        self.lock().state = WorkerState::Blocking;
    }

    /// Counts the worker among those that drop tasks which nobody awaits.
    pub(super) fn drop_tasks(&self) {
        self.lock().so_far.tasks.dropped_by += 1;
    }

    /// Notes that the worker's code has ended.
    pub(super) fn go(&self) {
        self.lock().state = WorkerState::Gone;
    }

    /// Counts a request that was refused without a call of the app.
    pub(super) fn refuse(&self) {
        self.lock().so_far.requests.refused += 1;
    }

    /// Counts a connection that has been accepted for the worker.
    pub(super) fn open(&self) {
        self.lock().connections += 1;
    }

    /// Counts a connection that has ended.
    pub(super) fn close(&self) {
        let mut rows = self.lock();
        let is_cut = rows.cuts > 0;
        // A cut has removed it, if there was one.
        if let Some(connections) = rows.connections.checked_sub(1) {
            rows.connections = connections;
            // The worker accepted it just before it got the command.
            let connections = &mut rows.so_far.connections;
            if is_cut { connections.cut += 1 } else { connections.closed += 1 }
        }
    }

    fn lock(&self) -> MutexGuard<'_, RequestRows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RequestRow {
    fn info(&self) -> RequestInfo {
        request_info(&self.method, self.path.as_ref(), self.since)
    }
}

/// Returns the name of a request that has been in flight since a moment, or of its task.
pub(super) fn request_info(
    method: &Method,
    path: Option<&PathAndQuery>,
    since: Instant,
) -> RequestInfo {
    RequestInfo {
        method: method_name(method),
        path: path_of(path).to_owned(),
        running: since.elapsed(),
    }
}

/// Returns the name of a method, without an allocation for one that everybody knows.
fn method_name(method: &Method) -> Cow<'static, str> {
    let known = ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "CONNECT", "PATCH", "TRACE"];
    match known.into_iter().find(|name| method.as_str() == *name) {
        Some(name) => name.into(),
        None => method.as_str().to_owned().into(),
    }
}

fn path_of(path: Option<&PathAndQuery>) -> &str {
    path.map_or("", PathAndQuery::path)
}

/// Handle of a request's row in the table, which ends with the handle. To drop the handle means
/// that the client went away, unless the response was written.
pub(super) struct RequestEntry {
    /// Table of the row; `None` once the row has been removed.
    table: Option<Arc<RequestTable>>,
    key: usize,
    /// Number of cuts before the request began. After a cut, another request may have the same key.
    cuts: u32,
}

impl RequestEntry {
    pub(super) fn new(
        table: &Arc<RequestTable>,
        method: Method,
        path: Option<PathAndQuery>,
    ) -> Self {
        let row = RequestRow {
            method,
            path,
            since: Instant::now(),
            is_written: false,
            has_panicked: false,
        };
        let mut rows = table.lock();
        let cuts = rows.cuts;
        let key = rows.open.insert(row);
        drop(rows);
        Self { table: Some(Arc::clone(table)), key, cuts }
    }

    /// Notes that the request's handler or body is polled, until the guard is dropped.
    pub(super) fn poll(&self) -> Option<PollGuard<'_>> {
        let table = self.table.as_deref()?;
        table.polled.store(self.key + 1, Ordering::Relaxed);
        Some(PollGuard(table))
    }

    /// Notes that the end of the response is written: the request is finished, even if its client
    /// takes its time.
    pub(super) fn written(&self) {
        let Some(table) = &self.table else { return };
        let mut rows = table.lock();
        // A cut has removed it, if there was one.
        if rows.cuts == self.cuts {
            rows.open[self.key].is_written = true;
        }
    }

    pub(super) fn end(mut self, outcome: RequestOutcome) {
        self.end_row(outcome);
    }

    fn end_row(&mut self, outcome: RequestOutcome) {
        let Some(table) = self.table.take() else { return };
        let mut rows = table.lock();
        // A cut has removed it, if there was one.
        if rows.cuts != self.cuts {
            return;
        }
        let row = rows.open.remove(self.key);
        let is_cut = rows.cuts > 0;
        let requests = &mut rows.so_far.requests;
        match outcome {
            _ if row.has_panicked => requests.panicked += 1,
            RequestOutcome::Abandoned if row.is_written => requests.finished += 1,
            // It began just before the worker got the command.
            RequestOutcome::Abandoned if is_cut => requests.cut.push(row.info()),
            RequestOutcome::Finished => requests.finished += 1,
            RequestOutcome::Abandoned => requests.abandoned += 1,
            RequestOutcome::Failed(error) => {
                requests.failed += 1;
                requests.last_failure = Some(ResponseFailure {
                    method: method_name(&row.method),
                    path: path_of(row.path.as_ref()).to_owned(),
                    error,
                });
            }
        }
    }
}

/// Guard of a poll of a request's handler or body.
pub(super) struct PollGuard<'t>(&'t RequestTable);

impl Drop for PollGuard<'_> {
    fn drop(&mut self) {
        self.0.polled.store(0, Ordering::Relaxed);
    }
}

impl Drop for RequestEntry {
    fn drop(&mut self) {
        self.end_row(RequestOutcome::Abandoned);
    }
}
