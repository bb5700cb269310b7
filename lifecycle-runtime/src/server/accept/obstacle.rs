//! Obstacles that keep a server from accepting connections, such as a process without a free
//! descriptor, and the reports of them.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::event::readable;

/// Time after which the acceptor tries again even if no connection has ended: something else may
/// have made room. A try is one system call, and clients wait at most this much longer in the
/// accept queue.
const RETRY: Duration = Duration::from_millis(100);

/// Obstacle that has come up and is not gone.
#[derive(Clone, Debug)]
pub(crate) struct Obstacle {
    /// The system's error.
    pub(crate) error: Arc<io::Error>,
    /// Time of the first error.
    pub(crate) since: Instant,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { error, since } = self;
        write!(f, "the server can't accept connections for {}: {error}", readable(since.elapsed()))
    }
}

/// Sender of the obstacle that a server has now, because one or more of its listeners have it.
pub(in crate::server) struct Obstacles {
    now: Arc<watch::Sender<Option<Obstacle>>>,
    /// Count of the listeners that have an obstacle.
    listeners: Arc<AtomicUsize>,
}

impl Obstacles {
    pub(in crate::server) fn new() -> (Self, watch::Receiver<Option<Obstacle>>) {
        let (sender, receiver) = watch::channel(None);
        (Self { now: Arc::new(sender), listeners: Arc::default() }, receiver)
    }

    /// Returns the part of one more listener.
    pub(super) fn of_listener(&self) -> ListenerObstacle {
        ListenerObstacle {
            now: Arc::clone(&self.now),
            listeners: Arc::clone(&self.listeners),
            is_there: false,
        }
    }
}

/// Part of one listener in the obstacle of its server.
pub(super) struct ListenerObstacle {
    now: Arc<watch::Sender<Option<Obstacle>>>,
    listeners: Arc<AtomicUsize>,
    is_there: bool,
}

impl ListenerObstacle {
    pub(super) fn is_there(&self) -> bool {
        self.is_there
    }

    /// Reports that a connection waits and can't be accepted.
    pub(super) fn report(&mut self, error: io::Error) {
        if std::mem::replace(&mut self.is_there, true) {
            return;
        }
        self.listeners.fetch_add(1, Ordering::Relaxed);
        self.now.send_if_modified(|obstacle| {
            let is_new = obstacle.is_none();
            obstacle
                .get_or_insert_with(|| Obstacle { error: Arc::new(error), since: Instant::now() });
            is_new
        });
    }

    /// Waits until there may be room again.
    pub(super) async fn pause(&self, connection_ended: impl Future<Output = ()>) {
        tokio::select! {
            () = connection_ended => {}
            () = tokio::time::sleep(RETRY) => {}
        }
    }

    /// Notes that a connection has been accepted, or that none waits any more.
    pub(super) fn passed(&mut self) {
        if std::mem::take(&mut self.is_there) && self.listeners.fetch_sub(1, Ordering::Relaxed) == 1
        {
            self.now.send_replace(None);
        }
    }
}

impl Drop for ListenerObstacle {
    fn drop(&mut self) {
        self.passed();
    }
}

/// Returns whether an error is about the connection that was to be accepted, and about no other:
/// see accept(2), "Error handling".
pub(super) fn concerns_one(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    use io::ErrorKind::{HostUnreachable, NetworkDown, NetworkUnreachable};
    if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
    {
        return true;
    }
    matches!(error.kind(), HostUnreachable | NetworkDown | NetworkUnreachable)
        || is_pending_error(error)
}

/// Returns whether this is an error of the network that was pending on the new connection.
#[cfg(unix)]
fn is_pending_error(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let pending =
        [Errno::PROTO, Errno::NOPROTOOPT, Errno::HOSTDOWN, Errno::OPNOTSUPP, Errno::TIMEDOUT];
    error
        .raw_os_error()
        .is_some_and(|code| pending.iter().any(|errno| errno.raw_os_error() == code))
}

/// Returns whether this is an error of the network that was pending on the new connection.
#[cfg(not(unix))]
fn is_pending_error(_error: &io::Error) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_has_an_obstacle_as_long_as_one_of_its_listeners_has_it() {
        let (obstacles, now) = Obstacles::new();
        let mut listeners =
            [obstacles.of_listener(), obstacles.of_listener(), obstacles.of_listener()];
        let error = || io::Error::from(io::ErrorKind::OutOfMemory);
        let is_there = || now.borrow().is_some();
        listeners[0].report(error());
        listeners[1].report(error());
        listeners[1].report(error());
        // This listener has no obstacle, and knows nothing of the others.
        listeners[2].passed();
        assert!(is_there());
        listeners[0].passed();
        listeners[0].passed();
        assert!(is_there());
        drop(listeners);
        assert!(!is_there());
    }
}
