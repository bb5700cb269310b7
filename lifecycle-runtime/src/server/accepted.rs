//! Connections on their way from the acceptor to a worker.

use std::net::SocketAddr;
use std::time::Duration;

use super::tcp_info::handshake_round_trip;

/// Accepted connection, with the address that it came to.
pub(super) struct Accepted {
    pub(super) stream: AcceptedStream,
    /// Index of the server's address that the client connected to.
    pub(super) endpoint: usize,
}

pub(super) enum AcceptedStream {
    Tcp(std::net::TcpStream, SocketAddr),
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixStream),
}

impl AcceptedStream {
    /// Returns the round trip of the connection's handshake, if the kernel has measured one.
    pub(super) fn round_trip(&self) -> Option<Duration> {
        match self {
            Self::Tcp(stream, _) => handshake_round_trip(stream),
            #[cfg(unix)]
            Self::Unix(_) => None,
        }
    }
}
