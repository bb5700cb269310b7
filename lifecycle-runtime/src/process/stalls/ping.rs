//! Pings: empty tasks, whose run shows that a runtime or a blocking pool goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::runtime::Handle;

/// Empty task that a runtime or a blocking pool was given.
pub(super) struct Ping(Arc<AtomicU8>);

/// State of a ping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PingState {
    Pending,
    /// The task has run.
    Given,
    /// The task was dropped: the runtime has been shut down.
    Never,
}

const PENDING: u8 = 0;
const GIVEN: u8 = 1;
const NEVER: u8 = 2;

/// End of a ping on the side that answers.
struct Pong(Arc<AtomicU8>);

impl Pong {
    fn answer(&self) {
        self.0.store(GIVEN, Ordering::Relaxed);
    }
}

impl Drop for Pong {
    fn drop(&mut self) {
        let _ = self.0.compare_exchange(PENDING, NEVER, Ordering::Relaxed, Ordering::Relaxed);
    }
}

impl Ping {
    /// Sends a ping to the threads of a runtime that poll tasks.
    pub(super) fn of_runtime(handle: &Handle) -> Self {
        let (ping, pong) = Self::pair();
        handle.spawn(async move { pong.answer() });
        ping
    }

    /// Sends a ping to the blocking pool of a runtime.
    pub(super) fn of_blocking_pool(handle: &Handle) -> Self {
        let (ping, pong) = Self::pair();
        handle.spawn_blocking(move || pong.answer());
        ping
    }

    pub(super) fn answer(&self) -> PingState {
        match self.0.load(Ordering::Relaxed) {
            PENDING => PingState::Pending,
            GIVEN => PingState::Given,
            _ => PingState::Never,
        }
    }

    fn pair() -> (Self, Pong) {
        let state = Arc::<AtomicU8>::default();
        (Self(Arc::clone(&state)), Pong(state))
    }
}

/// Returns `false` if the process has fewer threads than a full blocking pool of this size.
pub(super) fn pool_may_be_full(size: Option<usize>) -> bool {
    match (size, threads()) {
        (Some(size), Some(threads)) => threads > size,
        _ => true,
    }
}

/// Returns the number of threads of this process, where the system tells.
fn threads() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Threads:"))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_that_is_shut_down_never_answers() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let waiting = Ping::of_runtime(runtime.handle());
        assert_eq!(waiting.answer(), PingState::Pending, "nothing polls it");
        runtime.block_on(tokio::task::yield_now());
        assert_eq!(waiting.answer(), PingState::Given);
        let handle = runtime.handle().clone();
        drop(runtime);
        assert_eq!(Ping::of_runtime(&handle).answer(), PingState::Never);
        assert_eq!(Ping::of_blocking_pool(&handle).answer(), PingState::Never);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_pool_of_more_threads_than_the_process_has_is_not_full() {
        assert!(!pool_may_be_full(Some(1 << 20)));
        assert!(pool_may_be_full(Some(1)), "this test has a thread of its own");
        assert!(pool_may_be_full(None));
    }
}
