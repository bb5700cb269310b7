//! Course of one connection, from its handshake to its end.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_http::Protocol;
use futures_util::future::FutureExt;
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::time::{Instant, timeout, timeout_at};

use super::ConnectionSet;
use crate::server::accepted::{Accepted, AcceptedStream};
use crate::server::connection::{Closer, Connection};
use crate::server::http2::PREFACE;
use crate::server::linger::linger;
use crate::server::socket::SharedSocket;
use crate::server::tcp_info::Peer;
use crate::server::transport::Transport;

/// Response to a client that has not sent a request's head in time, as actix-http gives it.
const REQUEST_TIMEOUT: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// Connection that is ready for HTTP, with its protocol if that is known.
struct Opened {
    peer: Option<SocketAddr>,
    socket: SharedSocket,
    protocol: Option<Protocol>,
}

impl ConnectionSet {
    /// Drives a connection from its handshake to its end.
    pub(super) async fn drive(
        &self,
        key: usize,
        connection: &Rc<Connection>,
        accepted: Accepted,
    ) -> io::Result<()> {
        poll_fn(|context| {
            connection.driven_by(context);
            Poll::Ready(())
        })
        .await;
        let mut closer = None;
        let opened = self.open(connection, &mut closer, accepted.stream).await?;
        let Some(Opened { peer, socket, protocol }) = opened else { return Ok(()) };
        self.open.borrow_mut()[key].socket = Some(socket.clone());
        connection.opened();
        let mut transport = Transport::new(socket.clone(), Rc::clone(connection));
        let disconnect = self.spec.settings.closing_timeout();
        let mut head_limit = None;
        let protocol = if let Some(protocol) = protocol {
            protocol
        } else {
            head_limit =
                self.spec.settings.client_request_timeout().map(|limit| Instant::now() + limit);
            let sniffed = sniff(&mut transport, head_limit).boxed_local();
            let Some(protocol) = with_closing(connection, &mut closer, &socket, sniffed).await
            else {
                return Ok(());
            };
            let Some(protocol) = protocol? else {
                refuse_slow_head(&socket, connection, disconnect).boxed_local().await;
                return Ok(());
            };
            protocol
        };
        if protocol == Protocol::Http2 {
            transport.speaks_http2();
            head_limit = None;
        }
        let served = (self.apps[accepted.endpoint])(transport, protocol, peer);
        let served = with_head_by(head_limit, connection, served);
        match with_closing(connection, &mut closer, &socket, served).await {
            Some(Served::Whole) if connection.is_ending() => {
                linger(&socket, connection, disconnect).boxed_local().await;
            }
            Some(Served::WithoutHead) => {
                refuse_slow_head(&socket, connection, disconnect).boxed_local().await;
            }
            Some(Served::Whole) | None => {}
        }
        Ok(())
    }

    /// Makes an accepted connection ready for HTTP. Returns `None` if the connection was ended
    /// meanwhile.
    async fn open(
        &self,
        connection: &Connection,
        closer: &mut Option<Box<Closer>>,
        accepted: AcceptedStream,
    ) -> io::Result<Option<Opened>> {
        let settings = &self.spec.settings;
        let (stream, peer) = match accepted {
            AcceptedStream::Tcp(stream, peer) => (TcpStream::from_std(stream)?, peer),
            #[cfg(unix)]
            AcceptedStream::Unix(stream) => {
                let socket = SharedSocket::new(UnixStream::from_std(stream)?);
                return Ok(Some(Opened { peer: None, socket, protocol: Some(Protocol::Http1) }));
            }
        };
        // Otherwise a frame of ours could wait 40 ms for the client to acknowledge the one before
        // it.
        let _ = stream.set_nodelay(settings.tcp_nodelay.unwrap_or(true));
        let Some(secure) = &self.spec.secure else {
            let protocol = (!self.spec.auto_h2c).then_some(Protocol::Http1);
            let socket = SharedSocket::new(stream);
            return Ok(Some(Opened { peer: Some(peer), socket, protocol }));
        };
        let ends = |context: &mut Context<'_>, stream: Option<&TcpStream>| {
            connection.poll_closing(closer, context, &stream);
            connection.is_quiet() || connection.is_over() || connection.is_given_up()
        };
        let accepted = secure.accept(stream, &self.handshakes, ends).await?;
        Ok(accepted.map(|(socket, protocol)| Opened {
            peer: Some(peer),
            socket,
            protocol: Some(protocol),
        }))
    }
}

/// Result of actix-http's work on a connection.
enum Served {
    Whole,
    /// The connection was given up, because the head of the first request did not come in time.
    WithoutHead,
}

/// Serves a connection, and gives it up unless the first request's head comes by the limit.
/// actix-http counts that time itself, but not the time that it took to learn the protocol.
async fn with_head_by(
    limit: Option<Instant>,
    connection: &Connection,
    served: impl Future<Output = ()>,
) -> Served {
    let mut served = pin!(served);
    if let Some(limit) = limit
        && timeout_at(limit, &mut served).boxed_local().await.is_ok()
    {
        return Served::Whole;
    }
    if limit.is_some() && !connection.has_begun() {
        return Served::WithoutHead;
    }
    served.await;
    Served::Whole
}

/// Reads the first bytes of a client that may speak either protocol, and returns its protocol;
/// `None` if too few bytes have come by the limit.
async fn sniff(transport: &mut Transport, limit: Option<Instant>) -> io::Result<Option<Protocol>> {
    let begins = transport.begins_with(PREFACE);
    let begins = match limit {
        Some(limit) => match timeout_at(limit, begins).await {
            Ok(begins) => begins?,
            Err(_) => return Ok(None),
        },
        None => begins.await?,
    };
    Ok(Some(if begins { Protocol::Http2 } else { Protocol::Http1 }))
}

/// Ends a connection on which the head of the first request did not come in time.
async fn refuse_slow_head(socket: &SharedSocket, connection: &Connection, disconnect: Duration) {
    let _ = timeout(disconnect, socket.write_all(REQUEST_TIMEOUT)).await;
    connection.answered();
    linger(socket, connection, disconnect).await;
}

/// Drives a connection by `future`, and towards its end while the server closes. Returns `None` if
/// the connection is given up.
async fn with_closing<T>(
    connection: &Connection,
    closer: &mut Option<Box<Closer>>,
    peer: &impl Peer,
    future: impl Future<Output = T>,
) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|context| {
        connection.poll_closing(closer, context, peer);
        if connection.is_given_up() {
            return Poll::Ready(None);
        }
        let polled = future.as_mut().poll(context);
        if polled.is_pending() {
            connection.poll_delivery(closer, context, peer);
            if connection.is_given_up() {
                return Poll::Ready(None);
            }
        }
        polled.map(Some)
    })
    .await
}
