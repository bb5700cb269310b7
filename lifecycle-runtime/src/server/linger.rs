//! Last part of a connection, once actix-http is done with it. A client that still reads is not cut
//! off.
//!
//! A socket that is closed answers whatever its client still sends by a reset, which destroys a
//! response on its way. So the server closes its half first, and reads and discards the client's
//! bytes, until the client closes its half, too, or has all that it needs:
//!
//! - A client that has not acknowledged everything is waited for until it has, or until the kernel
//!   gets no answer any more.
//! - An HTTP/2 client that has not shown that it has read everything is waited for until
//!   `client_disconnect_timeout` after it last showed that it reads.
//! - A WebSocket client that has not answered the Close is waited for `client_disconnect_timeout`.
//! - A client that still sends a request's body is waited for until `client_disconnect_timeout`
//!   after it has its response.
//! - Any other client is not waited for.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::ReadBuf;
use tokio::time::{Instant, Sleep, sleep_until};

use super::connection::{Connection, ExpectedAct};
use super::socket::SharedSocket;
use super::tcp_info::{Peer, PollTimes, TcpInfo};

#[cfg(test)]
mod tests;

/// Closes a connection that the app is done with, and lingers as long as its client needs.
pub(super) async fn linger(socket: &SharedSocket, connection: &Connection, disconnect: Duration) {
    let shut =
        std::future::poll_fn(|context| Pin::new(&mut *socket.get_mut()).poll_shutdown(context));
    // A client that reads nothing may keep TLS from announcing the end. Even so, the bytes that are
    // written are on their way.
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
        // The client may have received all that it needs, and not have read it yet.
        socket.leave_to_system();
    }
}

struct Linger<'c> {
    socket: &'c SharedSocket,
    connection: &'c Connection,
    disconnect: Duration,
    since: Instant,
    /// Moment at which the client has last shown that it reads.
    read_at: Instant,
    /// Moment since which the client has acknowledged everything.
    acknowledged_at: Instant,
    /// Set once the client has sent something that was discarded.
    has_discarded: bool,
    /// Set once the client has closed its half. The client may still read.
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

    /// Reads and discards the client's bytes; ready at the client's end.
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

    /// Returns the moment of the next look; `None` if the client has all that it needs, or has had
    /// its time.
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
        let since = match self.connection.expected_act() {
            ExpectedAct::Nothing => return None,
            ExpectedAct::Body if !self.has_discarded => return None,
            // The client may have had a part of its time already, while actix-http read the body.
            ExpectedAct::Body => self.acknowledged_at,
            ExpectedAct::Close => self.since,
            ExpectedAct::Reading => self.read_at,
        };
        Some(since + self.disconnect).filter(|until| now < *until)
    }
}
