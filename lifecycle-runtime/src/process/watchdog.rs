//! Watchdog: a plain thread, which no async runtime can block, as the last guard of every deadline.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

use crate::hook::task::thread;

/// Guard that ends the process when the time is up. Disarmed when it is dropped.
pub(crate) struct Watchdog {
    shared: Arc<WatchdogInner>,
}

#[derive(Default)]
struct WatchdogInner {
    state: Mutex<WatchdogState>,
    changed: Condvar,
}

#[derive(Default)]
struct WatchdogState {
    deadline: Option<Instant>,
    is_disarmed: bool,
}

/// Handle that arms a watchdog from elsewhere.
#[derive(Clone)]
pub(crate) struct WatchdogHandle {
    shared: Arc<WatchdogInner>,
}

impl Watchdog {
    /// Starts the thread. `on_expiry` is called once, if a deadline passes.
    pub(crate) fn start(on_expiry: impl FnOnce() + Send + 'static) -> std::io::Result<Self> {
        let shared = Arc::<WatchdogInner>::default();
        let watched = Arc::clone(&shared);
        thread("lifecycle-watchdog", move || {
            if watched.wait() {
                on_expiry();
            }
        })?;
        Ok(Self { shared })
    }

    pub(crate) fn handle(&self) -> WatchdogHandle {
        WatchdogHandle { shared: Arc::clone(&self.shared) }
    }
}

impl WatchdogHandle {
    /// Has the process end at `deadline`, or earlier if that was asked for before.
    pub(crate) fn arm(&self, deadline: Instant) {
        self.shared.update(|state| {
            state.deadline = Some(state.deadline.map_or(deadline, |earlier| earlier.min(deadline)));
        });
    }

    /// Has the process end at `deadline`, whatever was asked for before.
    pub(crate) fn rearm(&self, deadline: Option<Instant>) {
        self.shared.update(|state| state.deadline = deadline);
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.shared.update(|state| state.is_disarmed = true);
    }
}

impl WatchdogInner {
    fn update(&self, change: impl FnOnce(&mut WatchdogState)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_one();
    }

    /// Waits for the deadline. Returns `false` if the watchdog is dropped first.
    fn wait(&self) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if state.is_disarmed {
                return false;
            }
            state = match state
                .deadline
                .map(|deadline| deadline.saturating_duration_since(Instant::now()))
            {
                Some(left) if left.is_zero() => return true,
                Some(left) => {
                    self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn it_expires_at_the_earliest_deadline() {
        let (expires, expired) = mpsc::channel();
        let watchdog =
            Watchdog::start(move || expires.send(Instant::now()).expect("the test waits"))
                .expect("a thread");
        let now = Instant::now();
        watchdog.handle().arm(now + Duration::from_millis(30));
        watchdog.handle().arm(now + Duration::from_secs(3600));
        let at = expired.recv_timeout(Duration::from_secs(60)).expect("it expires");
        assert!(at >= now + Duration::from_millis(30));
    }

    #[test]
    fn it_does_not_expire_once_it_is_dropped() {
        let (expires, expired) = mpsc::channel();
        let watchdog =
            Watchdog::start(move || expires.send(()).expect("the test waits")).expect("a thread");
        watchdog.handle().arm(Instant::now() + Duration::from_secs(3600));
        drop(watchdog);
        // The thread ends, and the sender with it.
        assert_eq!(
            expired.recv_timeout(Duration::from_secs(60)),
            Err(mpsc::RecvTimeoutError::Disconnected)
        );
    }
}
