//! Listeners that accept, and listeners that drain.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;
use tokio::sync::oneshot;

#[cfg(unix)]
use crate::hook::task::thread;
use crate::server::accepted::AcceptedStream;
use crate::server::address::Listener;
#[cfg(unix)]
use crate::server::address::SocketFile;
use crate::server::handover::OpenSocket;
use crate::server::packets;
use crate::server::tcp_info::accept_queue;

/// Socket of a listener.
pub(super) enum ListeningSocket {
    Tcp(Arc<TcpListener>),
    #[cfg(unix)]
    Unix(Arc<UnixListener>),
}

impl ListeningSocket {
    /// Returns the socket for others, whom it does not concern when the listener closes.
    pub(super) fn open(&self) -> OpenSocket {
        match self {
            Self::Tcp(listener) => OpenSocket::Tcp(Arc::downgrade(listener)),
            #[cfg(unix)]
            Self::Unix(listener) => OpenSocket::Unix(Arc::downgrade(listener)),
        }
    }

    /// Waits for the next connection.
    pub(super) async fn accept(&self) -> io::Result<AcceptedStream> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok(AcceptedStream::Tcp(stream.into_std()?, peer))
            }
            #[cfg(unix)]
            Self::Unix(listener) => {
                Ok(AcceptedStream::Unix(listener.accept().await?.0.into_std()?))
            }
        }
    }

    /// Returns the next connection that waits, even if the runtime has not noticed its readiness.
    pub(super) fn next(&self) -> io::Result<Option<AcceptedStream>> {
        let socket = match self {
            Self::Tcp(listener) => socket2::SockRef::from(listener),
            #[cfg(unix)]
            Self::Unix(listener) => socket2::SockRef::from(listener),
        };
        let (socket, peer) = match socket.accept() {
            Ok(accepted) => accepted,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        };
        socket.set_nonblocking(true)?;
        Ok(Some(match self {
            Self::Tcp(_) => {
                let peer = peer.as_socket().ok_or(io::ErrorKind::ConnectionAborted)?;
                AcceptedStream::Tcp(socket.into(), peer)
            }
            #[cfg(unix)]
            Self::Unix(_) => AcceptedStream::Unix(socket.into()),
        }))
    }

    /// Makes the system refuse clients that connect from now on, and returns whether it does. Those
    /// that wait can be accepted. From then on [`has_waiting`](Self::has_waiting) is always `true`.
    ///
    /// Clients may reach a Unix socket to its end: its abstract name, or a file that could not be
    /// removed. On Linux, a connection to one is complete at once, and is refused after a shutdown
    /// (`unix_stream_connect` in `net/unix/af_unix.c`). TCP has the filter for that.
    #[cfg(target_os = "linux")]
    pub(super) fn refuse_clients(&self) -> bool {
        match self {
            Self::Tcp(_) => false,
            Self::Unix(listener) => {
                socket2::SockRef::from(listener).shutdown(std::net::Shutdown::Read).is_ok()
            }
        }
    }

    /// Makes the system refuse clients that connect from now on, and returns whether it does.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn refuse_clients(&self) -> bool {
        false
    }

    /// Returns whether a connection waits to be accepted; `true` where the system doesn't tell.
    #[cfg(unix)]
    pub(super) fn has_waiting(&self) -> bool {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let socket = match self {
            Self::Tcp(listener) => PollFd::new(listener, PollFlags::IN),
            Self::Unix(listener) => PollFd::new(listener, PollFlags::IN),
        };
        poll(&mut [socket], Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) != Ok(0)
    }

    /// Returns whether a connection waits to be accepted; `true` where the system doesn't tell.
    #[cfg(not(unix))]
    pub(super) fn has_waiting(&self) -> bool {
        true
    }

    /// Returns the number of connections that wait to be accepted. Where the system doesn't tell,
    /// it is 1 if any wait.
    pub(super) fn waiting(&self) -> u64 {
        let counted = match self {
            Self::Tcp(listener) => accept_queue(listener),
            #[cfg(unix)]
            Self::Unix(_) => None,
        };
        counted.unwrap_or_else(|| self.has_waiting().into())
    }

    /// Returns the address of a TCP listener.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            #[cfg(unix)]
            Self::Unix(_) => None,
        }
    }
}

/// Listener that accepts connections.
pub(super) struct AcceptingListener {
    pub(super) socket: ListeningSocket,
    /// Set unless the program has made the listener by hand: then a successor makes another.
    pub(super) is_handed_on: bool,
    #[cfg(unix)]
    owner: Owner,
}

/// Owner of a listener.
#[cfg(unix)]
enum Owner {
    /// The server owns the listener alone: nobody else accepts on it.
    Server,
    /// The server owns the listener alone, and removes its file when it closes.
    ServerWithFile(SocketFile),
    /// The parent owns the listener as well: connections that wait when the server closes are for
    /// the next process that has the listener.
    Parent,
    /// The predecessor owns the listener, and its file, until this process takes over.
    Predecessor(Option<SocketFile>),
}

impl AcceptingListener {
    #[cfg(unix)]
    pub(super) fn new(listener: Listener) -> io::Result<Self> {
        let tcp =
            |listener| TcpListener::from_std(listener).map(Arc::new).map(ListeningSocket::Tcp);
        let unix =
            |listener| UnixListener::from_std(listener).map(Arc::new).map(ListeningSocket::Unix);
        let is_handed_on = !matches!(listener, Listener::Made(_) | Listener::MadeUnix(..));
        let (socket, owner) = match listener {
            Listener::Tcp(listener) | Listener::Made(listener) => (tcp(listener)?, Owner::Server),
            Listener::Inherited(listener) => (tcp(listener)?, Owner::Parent),
            Listener::InheritedUnix(listener) => (unix(listener)?, Owner::Parent),
            Listener::Unix(listener, file) | Listener::MadeUnix(listener, file) => {
                (unix(listener)?, Owner::ServerWithFile(file))
            }
            Listener::Handed(listener) => (tcp(listener)?, Owner::Predecessor(None)),
            Listener::HandedUnix(listener, file) => {
                (unix(listener)?, Owner::Predecessor(Some(file)))
            }
        };
        Ok(Self { socket, is_handed_on, owner })
    }

    #[cfg(not(unix))]
    pub(super) fn new(listener: Listener) -> io::Result<Self> {
        let (Listener::Tcp(listener) | Listener::Made(listener)) = listener;
        let socket = ListeningSocket::Tcp(Arc::new(TcpListener::from_std(listener)?));
        Ok(Self { socket, is_handed_on: false })
    }

    /// Makes the server the owner of a listener of its predecessor's, which has let go of it.
    pub(super) fn take_over(&mut self) {
        #[cfg(unix)]
        if let Owner::Predecessor(file) = &mut self.owner {
            self.owner = match file.take() {
                Some(file) => Owner::ServerWithFile(file.kept(false)),
                None => Owner::Server,
            };
        }
    }

    /// Leaves the listener as it is to the process that has it as well.
    pub(super) fn leave(self) {
        #[cfg(unix)]
        if let Owner::ServerWithFile(file) = self.owner {
            drop(file.kept(true));
        }
    }

    /// Closes the listener to all clients but those that are on their way already. Returns `None`
    /// for a listener that the parent owns as well, or the predecessor.
    pub(super) fn drain(self) -> Option<DrainingListener> {
        #[cfg(unix)]
        let file_removed = match self.owner {
            Owner::Server => None,
            Owner::ServerWithFile(file) => Some(remove(file)),
            Owner::Parent | Owner::Predecessor(_) => return None,
        };
        #[cfg(not(unix))]
        let file_removed = None;
        if let ListeningSocket::Tcp(listener) = &self.socket
            && let Err(error) = packets::refuse_handshakes(&**listener)
        {
            tracing::debug!(
                "a connection that begins while the listener closes may be reset: {error}"
            );
        }
        Some(DrainingListener { socket: self.socket, file_removed })
    }
}

/// Listener that lets in only clients that are on their way already.
pub(super) struct DrainingListener {
    pub(super) socket: ListeningSocket,
    /// Signal that the socket's file is removed. Until then other clients may find it.
    pub(super) file_removed: Option<oneshot::Receiver<()>>,
}

/// Removes a socket's file, on a thread of its own if the system has one. Others may have locked
/// its folder, and other listeners must not wait for them.
#[cfg(unix)]
fn remove(file: SocketFile) -> oneshot::Receiver<()> {
    let (removes, removed) = oneshot::channel();
    let _ = thread("http-socket-file", move || {
        drop(file);
        let _ = removes.send(());
    });
    removed
}
