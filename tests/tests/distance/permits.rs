//! Permits of the cases that run at the same time.

use std::num::NonZeroUsize;
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread::available_parallelism;

/// Cases of all tests that run at the same time, for each processor. The clients of more cases
/// would wait for a processor for longer than the windows that they are to meet.
const CASES_PER_PROCESSOR: usize = 4;

/// Number of cases that run.
static RUNNING: Mutex<usize> = Mutex::new(0);
static ENDED: Condvar = Condvar::new();

/// Permit to run a case.
pub(crate) struct Permit;

impl Permit {
    /// Waits for a permit.
    pub(crate) fn take() -> Self {
        let processors = available_parallelism().map_or(1, NonZeroUsize::get);
        let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = |running: &mut usize| *running >= processors * CASES_PER_PROCESSOR;
        let running = ENDED.wait_while(running, is_full);
        *running.unwrap_or_else(PoisonError::into_inner) += 1;
        Self
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        ENDED.notify_one();
    }
}
