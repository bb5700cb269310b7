//! Requests whose handler has panicked.

use super::RequestEntry;
use crate::event::RequestPanic;

impl RequestEntry {
    /// Notes that the handler has panicked, even if its client is answered, and emits an event. A
    /// second panic of the same request is not told. The message is `None` if it is not known.
    pub(in crate::server) fn panicked(&self, message: Option<String>) {
        let Some(table) = &self.table else { return };
        let mut rows = table.lock();
        // A cut has removed it, if there was one.
        if rows.cuts != self.cuts {
            return;
        }
        let row = &mut rows.open[self.key];
        if std::mem::replace(&mut row.has_panicked, true) {
            return;
        }
        let panic = RequestPanic { request: row.info(), message };
        rows.so_far.requests.last_panic = Some(panic.clone());
        drop(rows);
        table.panics.emit(panic, false);
    }
}
