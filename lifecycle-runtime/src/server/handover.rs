//! Listeners of a run on their way from its predecessor and to its successor, in an upgrade.

#[cfg(unix)]
use std::io;
#[cfg(unix)]
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;
use tokio::sync::watch;

#[cfg(unix)]
use crate::process::upgrade::HandedListener;
use crate::process::upgrade::ListenerName;

/// State of the listeners of a run, and the listeners that are open. Clones share both.
#[derive(Clone)]
pub(crate) struct Handover(Arc<HandoverState>);

struct HandoverState {
    owner: watch::Sender<ListenerOwner>,
    #[cfg_attr(not(unix), allow(dead_code, reason = "only Unix has upgrades"))]
    listeners: Mutex<Vec<(ListenerName, OpenSocket)>>,
}

/// Process whose connections the listeners accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ListenerOwner {
    /// The predecessor of this one.
    Predecessor,
    /// This one.
    Own,
    /// The successor of this one.
    Successor,
}

/// Socket of a listener, as others see it: it does not keep the listener open.
#[cfg_attr(not(unix), allow(dead_code, reason = "only Unix has upgrades"))]
pub(super) enum OpenSocket {
    Tcp(Weak<TcpListener>),
    #[cfg(unix)]
    Unix(Weak<UnixListener>),
}

#[cfg(unix)]
impl OpenSocket {
    /// Returns a duplicate of the descriptor, unless the listener is closed.
    fn duplicate(&self) -> Option<io::Result<OwnedFd>> {
        Some(match self {
            Self::Tcp(listener) => listener.upgrade()?.as_fd().try_clone_to_owned(),
            Self::Unix(listener) => listener.upgrade()?.as_fd().try_clone_to_owned(),
        })
    }
}

impl Default for Handover {
    /// Makes the state of a run without a predecessor.
    fn default() -> Self {
        Self::of(ListenerOwner::Own)
    }
}

impl Handover {
    /// Makes the state of a run that accepts nothing until its predecessor lets it.
    #[cfg(unix)]
    pub(crate) fn from_predecessor() -> Self {
        Self::of(ListenerOwner::Predecessor)
    }

    fn of(owner: ListenerOwner) -> Self {
        Self(Arc::new(HandoverState {
            owner: watch::Sender::new(owner),
            listeners: Mutex::default(),
        }))
    }

    /// Begins to accept connections, in place of the predecessor.
    pub(crate) fn take_over(&self) {
        self.advance(ListenerOwner::Own);
    }

    /// Accepts no further connection, and leaves the listeners to the successor, or to the
    /// predecessor.
    pub(crate) fn leave(&self) {
        self.advance(ListenerOwner::Successor);
    }

    /// Returns whether this process accepts the connections.
    pub(crate) fn is_own(&self) -> bool {
        self.owner() == ListenerOwner::Own
    }

    /// Returns whether the listeners are left to another process.
    pub(crate) fn is_left(&self) -> bool {
        self.owner() == ListenerOwner::Successor
    }

    pub(super) fn owner(&self) -> ListenerOwner {
        *self.0.owner.borrow()
    }

    /// Waits until this process, or a later one, is the owner.
    pub(super) async fn reached(&self, owner: ListenerOwner) {
        // This can't fail: the sender is here.
        let _ = self.0.owner.subscribe().wait_for(|now| *now >= owner).await;
    }

    /// Adds the listeners of a server that has been opened.
    pub(super) fn add(&self, listeners: impl IntoIterator<Item = (ListenerName, OpenSocket)>) {
        self.0.listeners.lock().unwrap_or_else(PoisonError::into_inner).extend(listeners);
    }

    /// Returns a duplicate of each listener that is open.
    ///
    /// # Errors
    ///
    /// The system's error, if no descriptor is left.
    #[cfg(unix)]
    pub(crate) fn duplicates(&self) -> io::Result<Vec<HandedListener>> {
        let listeners = self.0.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        let duplicates = listeners.iter().filter_map(|(name, socket)| {
            let duplicate = socket.duplicate()?;
            Some(duplicate.map(|socket| HandedListener { name: name.clone(), socket }))
        });
        duplicates.collect()
    }

    fn advance(&self, owner: ListenerOwner) {
        self.0.owner.send_if_modified(|now| {
            let is_later = *now < owner;
            *now = owner.max(*now);
            is_later
        });
    }
}
