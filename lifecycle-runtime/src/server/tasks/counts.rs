//! Counts of the tasks of request handlers, for metrics.

use super::TaskSet;
use crate::observe::metrics::TaskCounts;

impl TaskSet {
    /// Returns the numbers of the tasks until now.
    pub(crate) fn numbers(&self) -> TaskCounts {
        let rows = self.lock();
        TaskCounts {
            running: rows.open.len() as u64,
            finished: rows.so_far.finished,
            cut: rows.so_far.cut.len() as u64,
            panicked: rows.so_far.panicked,
        }
    }
}
