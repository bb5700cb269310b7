//! What went through the servers of a run.

use serde::Serialize;

/// What went through the servers of a run.
///
/// ```
/// use lifecycle_runtime::{Event, Lifecycle, Observer};
/// use std::time::Duration;
///
/// struct Losses;
///
/// impl Observer for Losses {
///     fn on_event(&self, _: Duration, event: &Event) {
///         if let Event::Drained { traffic, .. } = event {
///             println!("{} requests and {} connections cut", traffic.requests.cut.len(), traffic.connections.cut);
///         }
///     }
/// }
///
/// let lifecycle = Lifecycle::new().observer(Losses);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Traffic {
    /// What became of the requests.
    pub requests: Requests,
    /// What became of the connections.
    pub connections: Connections,
    /// How many worker threads still ran code of the app when the shutdown hooks began: a handler
    /// that blocks, `web::block`, or an app that is built or dropped for long.
    pub workers_left: usize,
}

/// What became of the requests of a run: a part of [`Traffic`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Requests {
    /// The number of requests whose response was handed to the system to its last byte. A stop also
    /// waits until the client has acknowledged it, where the system tells and as long as there is
    /// time. A WebSocket counts if what its handler sends came to its end, or to a Close.
    pub finished: u64,
    /// Those that were in flight when the time for them was up: `GET /report 4.2 s`.
    pub cut: Vec<String>,
    /// How many were answered with 503, because their client had been told before that they would come too late.
    pub refused: u64,
    /// How many got no response, or only a part of it, because their handler panicked.
    pub panicked: u64,
    /// The number of clients that went away before they had their response.
    pub abandoned: u64,
    /// The number of responses that were broken off because their body failed: the stream that
    /// makes it ended with an error.
    pub failed: u64,
    /// The last of the failed responses: method and path, and the error with its causes, as in
    /// `GET /export: the disk is full`.
    pub last_failure: Option<String>,
}

/// What became of the connections of a run: a part of [`Traffic`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Connections {
    /// How many came to their end: closed by the client, or by the server when nothing was in flight on them.
    pub closed: u64,
    /// How many were open when the time for them was up.
    pub cut: u64,
}

impl Traffic {
    /// That of two servers.
    pub(crate) fn and(mut self, more: Self) -> Self {
        self.requests.finished += more.requests.finished;
        self.requests.cut.extend(more.requests.cut);
        self.requests.refused += more.requests.refused;
        self.requests.panicked += more.requests.panicked;
        self.requests.abandoned += more.requests.abandoned;
        self.requests.failed += more.requests.failed;
        self.requests.last_failure = more.requests.last_failure.or(self.requests.last_failure);
        self.connections.closed += more.connections.closed;
        self.connections.cut += more.connections.cut;
        self.workers_left += more.workers_left;
        self
    }

    /// Whether nothing was broken off by the stop.
    pub(crate) fn is_clean(&self) -> bool {
        self.requests.cut.is_empty() && self.workers_left == 0
    }

    /// Returns a line about the responses that failed:
    /// `2 responses failed, the last: GET /export: the disk is full`.
    pub(crate) fn failures(&self) -> Option<String> {
        let count = self.requests.failed;
        let of = self.requests.last_failure.as_deref().unwrap_or("their body ended with an error");
        // A line of a report is one line, whatever an error says.
        let of = of.lines().collect::<Vec<_>>().join(" ");
        match count {
            0 => None,
            1 => Some(format!("1 response failed: {of}")),
            several => Some(format!("{several} responses failed, the last: {of}")),
        }
    }

    /// What there is to say of worker threads that were left behind.
    pub(crate) fn left(&self) -> Option<String> {
        let threads = match self.workers_left {
            0 => return None,
            1 => "a worker thread".to_owned(),
            several => format!("{several} worker threads"),
        };
        let why = "a handler or an app's factory that blocks, or web::block";
        Some(format!("{threads} still ran code of the app when the shutdown hooks began: {why}"))
    }
}
