//! Traffic of a server as operators see it: requests in flight, open connections, and counts.

use super::{RequestRow, RequestTables};
use crate::event::RequestInfo;
use crate::observe::metrics::ServerCounts;

/// Request in flight, as operators see it.
pub(in crate::server) struct RequestInFlight {
    pub(in crate::server) info: RequestInfo,
    /// Number of its worker.
    pub(in crate::server) worker: usize,
    pub(in crate::server) state: &'static str,
}

impl RequestTables {
    /// Returns the number of each worker's open connections.
    pub(in crate::server) fn connections(&self) -> Vec<u64> {
        self.0.iter().map(|table| table.lock().connections).collect()
    }

    /// Returns the number of the requests in flight, and of each worker those that have been in
    /// flight the longest, up to `most`.
    pub(in crate::server) fn longest(&self, most: usize) -> (usize, Vec<RequestInFlight>) {
        let mut count = 0;
        let mut longest = Vec::new();
        for (worker, table) in self.0.iter().enumerate() {
            let rows = table.lock();
            count += rows.open.len();
            let mut keys: Vec<_> = rows.open.iter().map(|(key, row)| (row.since, key)).collect();
            if keys.len() > most {
                keys.select_nth_unstable(most);
                keys.truncate(most);
            }
            longest.extend(keys.into_iter().map(|(_, key)| rows.open[key].in_flight(worker)));
        }
        (count, longest)
    }

    /// Returns the counts until now, without what only the acceptor and the connections know.
    pub(in crate::server) fn counts(&self) -> ServerCounts {
        let mut counts = ServerCounts::default();
        for table in &*self.0 {
            let rows = table.lock();
            counts.in_flight += rows.open.len() as u64;
            let requests = &rows.so_far.requests;
            counts.finished += requests.finished;
            counts.cut += requests.cut.len() as u64;
            counts.refused += requests.refused;
            counts.panicked += requests.panicked;
            counts.abandoned += requests.abandoned;
            counts.failed += requests.failed;
            let connections = &rows.so_far.connections;
            counts.connections_closed += connections.closed;
            counts.connections_cut += connections.cut;
        }
        counts
    }
}

impl RequestRow {
    fn in_flight(&self, worker: usize) -> RequestInFlight {
        let state = if self.has_panicked {
            "panicked"
        } else if self.is_written {
            "written"
        } else {
            "running"
        };
        RequestInFlight { info: self.info(), worker, state }
    }
}
