//! The last part of a connection, once actix-http is done with it: nothing is aborted under a
//! client that still reads.
//!
//! A socket that is closed answers whatever its client still sends by a reset, which destroys a
//! response on its way. So our half is closed first, and what the client sends is read and
//! discarded, until the client closes its half too, or has all that it needs:
//!
//! | client | is waited for |
//! |---|---|
//! | has not acknowledged everything | until it has, or the kernel gets no answer any more |
//! | HTTP/2, and has not shown that it has read everything | `client_disconnect_timeout` since it last showed that it reads |
//! | WebSocket, and has not answered the Close | `client_disconnect_timeout` |
//! | still sends a request's body | `client_disconnect_timeout` since it has its response |
//! | any other | not at all |

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::ReadBuf;
use tokio::time::{Instant, Sleep, sleep_until};

use super::connection::{Connection, Expected};
use super::socket::SharedSocket;
use super::tcp_info::{Peer, PollTimes, TcpInfo};

#[cfg(test)]
mod tests;

/// Closes a connection that the app is done with.
pub(super) async fn linger(socket: &SharedSocket, connection: &Connection, disconnect: Duration) {
    let shut =
        std::future::poll_fn(|context| Pin::new(&mut *socket.get_mut()).poll_shutdown(context));
    // A client that reads nothing may keep TLS from saying so: what is written is on its way all the
    // same.
    if let Ok(Err(_)) = tokio::time::timeout(disconnect, shut).await {
        return;
    }
    let mut linger = Linger {
        socket,
        connection,
        disconnect,
        since: Instant::now(),
        read_at: Instant::now(),
        acknowledged_at: connection.idle_since(),
        has_discarded: false,
        has_closed: false,
        polls: PollTimes::default(),
        timer: Box::pin(sleep_until(Instant::now())),
    };
    std::future::poll_fn(|context| linger.poll(context)).await;
    if !linger.has_closed {
        // It may have all that it needs, and not have read it yet.
        socket.leave_to_system();
    }
}

struct Linger<'c> {
    socket: &'c SharedSocket,
    connection: &'c Connection,
    disconnect: Duration,
    since: Instant,
    /// Time at which the client has last shown that it reads.
    read_at: Instant,
    /// Time since which the client has acknowledged everything.
    acknowledged_at: Instant,
    /// Set once the client has sent something that is discarded.
    has_discarded: bool,
    /// Set once the client has closed its half. It may still read.
    has_closed: bool,
    polls: PollTimes,
    timer: Pin<Box<Sleep>>,
}

impl Linger<'_> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            match self.poll_discard(context) {
                Poll::Ready(Err(_)) => {
                    self.has_closed = true;
                    return Poll::Ready(());
                }
                Poll::Ready(Ok(())) => self.has_closed = true,
                Poll::Pending => {}
            }
            let Some(at) = self.waits_until() else { return Poll::Ready(()) };
            self.timer.as_mut().reset(at);
            if self.timer.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// Reads and discards what is there; ready at the client's end.
    fn poll_discard(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.has_closed {
            return Poll::Pending;
        }
        let mut discarded = [0; 4096];
        loop {
            let mut discarded = ReadBuf::new(&mut discarded);
            match Pin::new(&mut *self.socket.get_mut()).poll_read(context, &mut discarded) {
                Poll::Ready(Ok(())) if !discarded.filled().is_empty() => {}
                other => return other,
            }
            if self.connection.discarded(discarded.filled()) {
                self.read_at = Instant::now();
            }
            self.has_discarded = true;
        }
    }

    /// Returns the moment to look again; `None` if the client has all that it needs, or had its
    /// time.
    fn waits_until(&mut self) -> Option<Instant> {
        let now = Instant::now();
        let info = self.socket.info();
        self.connection.delivered(info.as_ref());
        if let Some(info) = info.filter(TcpInfo::is_unacknowledged) {
            self.acknowledged_at = now;
            return (!info.has_vanished(self.disconnect)).then(|| self.polls.next(&info));
        }
        if self.has_closed {
            return None;
        }
        let since = match self.connection.expected() {
            Expected::Nothing => return None,
            Expected::Body if !self.has_discarded => return None,
            // It may have had a part of its time already, while actix-http read the body.
            Expected::Body => self.acknowledged_at,
            Expected::Close => self.since,
            Expected::Reading => self.read_at,
        };
        Some(since + self.disconnect).filter(|until| now < *until)
    }
}
