//! Obstacles that keep a server from accepting, told to whoever watches: the process has no descriptor left, say.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::event::readable;

/// Time after which to try again even if no connection has ended: something else may have made room.
const RETRY: Duration = Duration::from_millis(100);

/// An obstacle that has come up and not gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Obstacle {
    /// The system's error.
    pub(crate) error: String,
    /// Time of the first error.
    pub(crate) since: Instant,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { error, since } = self;
        write!(f, "the server can't accept connections for {}: {error}", readable(since.elapsed()))
    }
}

/// Sender of the obstacle that a server has now.
#[derive(Clone)]
pub(in crate::server) struct Obstacles(Arc<watch::Sender<Option<Obstacle>>>);

impl Obstacles {
    pub(in crate::server) fn new() -> (Self, watch::Receiver<Option<Obstacle>>) {
        let (sender, receiver) = watch::channel(None);
        (Self(Arc::new(sender)), receiver)
    }

    /// Tells that somebody waits and can't be accepted.
    pub(super) fn tell(&self, error: &io::Error) {
        self.0.send_if_modified(|obstacle| {
            let is_new = obstacle.is_none();
            obstacle.get_or_insert_with(|| Obstacle { error: error.to_string(), since: Instant::now() });
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

    /// Tells that the obstacle is gone: a connection has been accepted, or nobody waits any more.
    pub(super) fn passed(&self) {
        if self.0.borrow().is_some() {
            self.0.send_replace(None);
        }
    }
}
