//! Address that clients connect to, and the protocol that they speak there.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use lifecycle_tests::certificate::trust;
use lifecycle_tests::http::{Transport, tcp};
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use tungstenite::WebSocket;

use super::{Journal, Outcome};

/// Protocol of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Tls,
    H2c,
    H2,
}

impl Protocol {
    pub(crate) const ALL: [Self; 4] = [Self::Http1, Self::Tls, Self::H2c, Self::H2];
    pub(crate) const HTTP1: [Self; 2] = [Self::Http1, Self::Tls];
    pub(crate) const HTTP2: [Self; 2] = [Self::H2c, Self::H2];

    pub(crate) fn is_tls(self) -> bool {
        matches!(self, Self::Tls | Self::H2)
    }

    pub(crate) fn is_http2(self) -> bool {
        matches!(self, Self::H2c | Self::H2)
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http1 => "HTTP/1.1",
            Self::Tls => "HTTP/1.1 over TLS",
            Self::H2c => "h2c",
            Self::H2 => "h2 over TLS",
        })
    }
}

/// Server, as clients know it.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) protocol: Protocol,
    pub(crate) address: String,
    /// Settings by which a client trusts the server's certificate, if it speaks TLS.
    tls: Option<Arc<ClientConfig>>,
    /// Time from which journals count.
    pub(crate) origin: Instant,
}

/// Reason why there is no connection.
pub(crate) enum NoConnection {
    /// Refusal: nobody listened.
    Refused(io::Error),
    /// Loss of a connection before it could be used.
    Broken(String),
}

impl Target {
    pub(crate) fn new(protocol: Protocol, address: String, certificate: &Path) -> Self {
        let tls = protocol.is_tls().then(|| {
            let mut config = trust(certificate);
            let name = if protocol.is_http2() { &b"h2"[..] } else { b"http/1.1" };
            config.alpn_protocols = vec![name.to_vec()];
            Arc::new(config)
        });
        Self { protocol, address, tls, origin: Instant::now() }
    }

    /// Returns settings that trust the server's certificate, if the protocol needs TLS.
    pub(crate) fn tls(&self) -> Option<Arc<ClientConfig>> {
        self.tls.clone()
    }

    /// Begins a journal.
    pub(crate) fn journal(&self, client: impl fmt::Display) -> Journal {
        Journal::new(format!("client {client}, {}", self.protocol), self.origin)
    }

    /// Connects, and makes the TLS handshake.
    pub(crate) fn open(&self) -> Result<Box<dyn Transport>, NoConnection> {
        let tcp = self.tcp()?;
        self.secure(tcp)
    }

    /// Connects over TCP.
    pub(crate) fn tcp(&self) -> Result<TcpStream, NoConnection> {
        let tcp = tcp(&self.address).map_err(|error| match error.kind() {
            ErrorKind::ConnectionRefused | ErrorKind::TimedOut => NoConnection::Refused(error),
            _ => NoConnection::Broken(format!("connecting: {error}")),
        })?;
        tcp.set_nodelay(true).expect("a TCP socket");
        Ok(tcp)
    }

    /// Makes the TLS handshake, if the protocol needs one.
    pub(crate) fn secure(&self, mut tcp: TcpStream) -> Result<Box<dyn Transport>, NoConnection> {
        let Some(config) = &self.tls else { return Ok(Box::new(tcp)) };
        let name = "localhost".try_into().expect("a name");
        let mut session = ClientConnection::new(Arc::clone(config), name).expect("a session");
        while session.is_handshaking() {
            let done = session.complete_io(&mut tcp);
            done.map_err(|error| NoConnection::Broken(format!("TLS handshake: {error}")))?;
        }
        Ok(Box::new(StreamOwned::new(session, tcp)))
    }

    /// Connects as [`Target::open`] does, or notes the reason why it can't.
    pub(crate) fn open_or_note(&self, journal: &mut Journal) -> Option<Box<dyn Transport>> {
        let opened = self.tcp().and_then(|tcp| {
            journal.connected(tcp.local_addr().map_or(0, |address| address.port()));
            self.secure(tcp)
        });
        let why = match opened {
            Ok(transport) => return Some(transport),
            Err(why) => why,
        };
        journal.outcome("connection", why.into());
        None
    }
}

impl From<NoConnection> for Outcome {
    fn from(why: NoConnection) -> Self {
        match why {
            NoConnection::Refused(error) => Self::NotConnected(error.to_string()),
            NoConnection::Broken(how) => Self::Lost(how),
        }
    }
}

/// Upgrades a connection to a WebSocket.
pub(crate) fn upgrade(
    transport: Box<dyn Transport>,
    path: &str,
) -> Result<WebSocket<Box<dyn Transport>>, String> {
    let upgraded = tungstenite::client(format!("ws://localhost{path}"), transport);
    upgraded.map(|(socket, _)| socket).map_err(|error| error.to_string())
}
