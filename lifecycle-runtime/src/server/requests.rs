//! The requests of a server: counted and named from the head's arrival until the response is written.
//!
//! Each worker has a table of its own, so that the path of a request takes no lock that another thread holds for longer
//! than it takes to read the table for a report.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use actix_web::http::{Method, Uri};
use slab::Slab;

use crate::event::{Requests, readable};

/// The requests of one worker.
#[derive(Default)]
pub(super) struct Table(Mutex<Rows>);

#[derive(Default)]
struct Rows {
    open: Slab<Row>,
    so_far: Requests,
}

struct Row {
    method: Method,
    uri: Uri,
    since: Instant,
}

/// What a request came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Its response was written.
    Finished,
    /// Its handler panicked.
    Panicked,
    /// Its client went away.
    Abandoned,
}

impl Table {
    /// What has become of the requests so far; those in flight are listed as if they were cut off now.
    pub(super) fn requests(&self) -> Requests {
        let rows = self.lock();
        let mut requests = rows.so_far.clone();
        requests.cut.extend(rows.open.iter().map(|(_, row)| row.to_string()));
        requests
    }

    /// Takes the requests in flight for cut off, whatever their handlers still do.
    pub(super) fn cut(&self) {
        let mut rows = self.lock();
        let open = std::mem::take(&mut rows.open);
        rows.so_far.cut.extend(open.iter().map(|(_, row)| row.to_string()));
    }

    /// Counts a request that nobody was asked to answer.
    pub(super) fn refuse(&self) {
        self.lock().so_far.refused += 1;
    }

    fn lock(&self) -> MutexGuard<'_, Rows> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.method, self.uri.path(), readable(self.since.elapsed()))
    }
}

/// A request's row, given back at its end.
pub(super) struct Entry {
    table: Arc<Table>,
    key: usize,
    /// A key is given anew once its row is gone.
    since: Instant,
}

impl Entry {
    pub(super) fn new(table: &Arc<Table>, method: Method, uri: Uri) -> Self {
        let since = Instant::now();
        let key = table.lock().open.insert(Row { method, uri, since });
        Self { table: Arc::clone(table), key, since }
    }

    pub(super) fn end(self, fate: Fate) {
        let mut rows = self.table.lock();
        // It is not there if it was cut off.
        if rows.open.get(self.key).is_none_or(|row| row.since != self.since) {
            return;
        }
        rows.open.remove(self.key);
        match fate {
            Fate::Finished => rows.so_far.finished += 1,
            Fate::Panicked => rows.so_far.panicked += 1,
            Fate::Abandoned => rows.so_far.abandoned += 1,
        }
    }
}
