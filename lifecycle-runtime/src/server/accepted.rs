//! A connection on its way from the thread that accepts to a worker.

use std::net::SocketAddr;
use std::time::Duration;

use super::tcp_info::handshake_round_trip;

/// A connection that was accepted.
pub(super) struct Accepted {
    pub(super) stream: AcceptedStream,
    /// Index of the server's address that it came to.
    pub(super) endpoint: usize,
}

pub(super) enum AcceptedStream {
    Tcp(std::net::TcpStream, SocketAddr),
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixStream),
}

impl AcceptedStream {
    /// Returns the round trip of its handshake, where it had one.
    pub(super) fn round_trip(&self) -> Option<Duration> {
        match self {
            Self::Tcp(stream, _) => handshake_round_trip(stream),
            #[cfg(unix)]
            Self::Unix(_) => None,
        }
    }
}
