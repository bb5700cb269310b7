//! Progress of a task, as far as it tells why the task did not end in its time.

use std::sync::atomic::{AtomicU8, Ordering};

/// Marker of a task's progress: waiting for a thread, running on one, or waiting for something
/// else.
#[derive(Default)]
pub(super) struct TaskProgress(AtomicU8);

impl TaskProgress {
    /// State of a task that no thread has taken up.
    pub(super) const WAITS_FOR_THREAD: u8 = 0;
    /// State of a task that a thread is running.
    pub(super) const RUNS: u8 = 1;
    /// State of a task that waits for something.
    pub(super) const WAITS: u8 = 2;

    pub(super) fn set(&self, state: u8) {
        self.0.store(state, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u8 {
        self.0.load(Ordering::Relaxed)
    }
}
