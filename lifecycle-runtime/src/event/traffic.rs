//! Counts of the requests and connections of a run.

use serde::Serialize;

use super::{RequestInfo, RequestPanic, ResponseFailure};

/// Counts of the requests and connections that went through the servers of a run.
///
/// ```
/// use lifecycle_runtime::event::{Event, Observer};
/// use lifecycle_runtime::Lifecycle;
/// use std::time::Duration;
///
/// struct Losses;
///
/// impl Observer for Losses {
///     fn on_event(&self, _: Duration, event: &Event) {
///         if let Event::Drained { traffic, .. } = event {
///             let requests = traffic.requests.cut.len();
///             println!("{requests} requests and {} connections cut", traffic.connections.cut);
///         }
///     }
/// }
///
/// let lifecycle = Lifecycle::new().observer(Losses);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Traffic {
    /// Requests, by their outcome.
    pub requests: Requests,
    /// Connections, by their end.
    pub connections: Connections,
    /// Tasks that handlers have spawned, by their outcome.
    pub tasks: Tasks,
    /// Number of worker threads that had not ended when the shutdown hooks began, and that may run
    /// code of the app: a handler that blocks, `web::block`, or an app that takes long to be built
    /// or dropped.
    pub workers_left: usize,
    /// Number of these threads that only waited for their blocking pool: for a `web::block`, which
    /// nobody may await any more, or for an address lookup. Neither can be cancelled.
    pub pools_left: usize,
}

/// Requests of a run, by their outcome: a part of [`Traffic`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Requests {
    /// Number of requests whose response was handed to the system up to its last byte. A stop
    /// waits, moreover, until the client has acknowledged it, where the system tells and as long as
    /// there is time. A WebSocket counts if what its handler sends came to its end, or to a Close.
    pub finished: u64,
    /// Requests that were in flight when the time for them was up.
    pub cut: Vec<RequestInfo>,
    /// Number of requests that were answered with 503, as their client had been told before that
    /// they would come too late.
    pub refused: u64,
    /// Number of requests whose handler panicked. They got no response, only a part of it, or a 500
    /// where [`Http::catch_panics`](crate::Http::catch_panics) is on.
    pub panicked: u64,
    /// Last panic of a handler.
    pub last_panic: Option<RequestPanic>,
    /// Number of clients that went away before they had their response.
    pub abandoned: u64,
    /// Number of responses that were broken off because their body failed: the stream that makes it
    /// ended with an error.
    pub failed: u64,
    /// Last of the failed responses.
    pub last_failure: Option<ResponseFailure>,
}

/// Connections of a run, by their end: a part of [`Traffic`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Connections {
    /// Number of connections that were closed by the client, or by the server when nothing was in
    /// flight.
    pub closed: u64,
    /// Number of connections that were open when the time for them was up.
    pub cut: u64,
    /// Number of connections that still waited then and could not be accepted, for example as the
    /// process had no file descriptor left. The system resets them, with the requests that may lie
    /// on them. 1 where the system doesn't tell the number.
    pub unaccepted: u64,
}

/// Tasks that request handlers have spawned, by their outcome: a part of [`Traffic`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Tasks {
    /// Number of tasks of [`BackgroundTasks`](crate::BackgroundTasks) that ended by themselves.
    pub finished: u64,
    /// Tasks that still ran when the time for them was up, each by its request.
    pub cut: Vec<RequestInfo>,
    /// Number of tasks that were cut off and still ran when the shutdown hooks began: they block
    /// their thread, or others block all threads.
    pub left: usize,
    /// Number of tasks that panicked.
    pub panicked: u64,
    /// Last task that panicked.
    pub last_panic: Option<RequestPanic>,
    /// Number of worker threads that ended while other tasks still ran on them, which handlers or
    /// the app had started by `actix_web::rt::spawn` or `tokio::spawn`. These tasks were dropped.
    /// (The async runtime doesn't tell how many they were.) Threads that have cut off an HTTP/2
    /// connection or a WebSocket, or that dropped the handler of an HTTP/2 client which had left,
    /// don't count: their requests are such tasks.
    pub dropped_by: usize,
}

impl Traffic {
    /// Adds up the traffic of two servers.
    pub(crate) fn merge(mut self, more: Self) -> Self {
        self.requests.finished += more.requests.finished;
        self.requests.cut.extend(more.requests.cut);
        self.requests.refused += more.requests.refused;
        self.requests.panicked += more.requests.panicked;
        self.requests.last_panic = more.requests.last_panic.or(self.requests.last_panic);
        self.requests.abandoned += more.requests.abandoned;
        self.requests.failed += more.requests.failed;
        self.requests.last_failure = more.requests.last_failure.or(self.requests.last_failure);
        self.connections.closed += more.connections.closed;
        self.connections.cut += more.connections.cut;
        self.connections.unaccepted += more.connections.unaccepted;
        self.tasks.finished += more.tasks.finished;
        self.tasks.cut.extend(more.tasks.cut);
        self.tasks.left += more.tasks.left;
        self.tasks.panicked += more.tasks.panicked;
        self.tasks.last_panic = more.tasks.last_panic.or(self.tasks.last_panic);
        self.tasks.dropped_by += more.tasks.dropped_by;
        self.workers_left += more.workers_left;
        self.pools_left += more.pools_left;
        self
    }

    /// Returns whether the stop has cut off nothing that counts for the exit code.
    pub(crate) fn is_clean(&self) -> bool {
        let is_cut = !self.requests.cut.is_empty() || !self.tasks.cut.is_empty();
        !is_cut && self.connections.unaccepted == 0 && self.workers_left == 0
    }

    /// Returns a line about the responses that failed:
    /// `2 responses failed, the last: GET /export: the disk is full`.
    pub(crate) fn failures(&self) -> Option<String> {
        let count = self.requests.failed;
        let of = match &self.requests.last_failure {
            Some(failure) => failure.to_string(),
            None => "their body ended with an error".to_owned(),
        };
        // A line of a report is one line, even if an error has several.
        let of = of.lines().collect::<Vec<_>>().join(" ");
        match count {
            0 => None,
            1 => Some(format!("1 response failed: {of}")),
            several => Some(format!("{several} responses failed, the last: {of}")),
        }
    }

    /// Returns a line about the connections that were never accepted.
    pub(crate) fn unaccepted(&self) -> Option<String> {
        match self.connections.unaccepted {
            0 => None,
            1 => Some("a connection still waited to be accepted, and was reset".to_owned()),
            several => {
                Some(format!("{several} connections still waited to be accepted, and were reset"))
            }
        }
    }

    /// Returns lines about the worker threads and tasks that were left behind.
    pub(crate) fn left(&self) -> impl Iterator<Item = String> {
        let threads = |number| match number {
            0 => None,
            1 => Some("a worker thread".to_owned()),
            several => Some(format!("{several} worker threads")),
        };
        let blocked = threads(self.workers_left.saturating_sub(self.pools_left)).map(|threads| {
            let why = "as a rule, a handler or an app's factory blocks";
            format!("{threads} had not ended when the shutdown hooks began: {why}")
        });
        let pools = threads(self.pools_left).map(|threads| {
            let why = "as a rule, a web::block, which nobody may await any more, or an address \
                       lookup; neither can be cancelled";
            format!(
                "the blocking pool of {threads} had not ended when the shutdown hooks began: {why}"
            )
        });
        let tasks = match self.tasks.left {
            0 => None,
            1 => Some("a task of a handler".to_owned()),
            several => Some(format!("{several} tasks of handlers")),
        };
        let tasks = tasks.map(|tasks| {
            let why = "what blocks a thread can't be cancelled";
            format!("{tasks} still ran when the shutdown hooks began: {why}")
        });
        blocked.into_iter().chain(pools).chain(tasks)
    }

    /// Returns a line about the tasks that were dropped.
    pub(crate) fn dropped(&self) -> Option<String> {
        let threads = match self.tasks.dropped_by {
            0 => return None,
            1 => "a worker thread".to_owned(),
            several => format!("{several} worker threads"),
        };
        let tasks = "tasks that handlers or the app had spawned were dropped with";
        Some(format!("{tasks} {threads}; what has to finish is spawned by `BackgroundTasks`"))
    }
}
