//! End of a connection while its server closes, with the waits before it and their limits.
//!
//! - A connection that owes a response ends when the client has acknowledged it, or has vanished.
//! - An HTTP/1 connection whose client has acknowledged a last response ends
//!   `client_disconnect_timeout` later at most.
//! - An HTTP/1 connection without a request ends when nothing has come for the quiet window and a
//!   few round trips.
//! - An HTTP/1 connection whose client sends a head, or chunks that nobody wants, ends
//!   `client_request_timeout` later at most.
//! - A connection in a handshake ends by the two rules before, counted from the last bytes of the
//!   handshake.
//! - An HTTP/2 connection ends when the last stream that the client was told has ended, and the
//!   client has answered a PING behind that, or has had `client_disconnect_timeout`. A client that
//!   never pauses is told the last stream after `client_request_timeout`. Streams whose heads don't
//!   come to the end are waited for like the head of an HTTP/1 request.
//! - A WebSocket ends with a Close between two messages, once its handler waits for a message, or
//!   reads none for a second. A client that stops in the middle of a message gets the Close
//!   `client_disconnect_timeout` later.
//!
//! No connection outlasts the drain's deadline: then the worker drops all its connections.

mod http1;
mod http2;
mod quiet_window;
mod websocket;

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use super::responses::Responses;
use super::{Connection, ConnectionState};
use crate::server::tcp_info::{Peer, PollTimes, TcpInfo};
pub(super) use http1::Http1;
pub(super) use quiet_window::ClientSilence;
use quiet_window::Silence;
use websocket::CloseSchedule;

/// Times by which connections end.
#[derive(Clone, Copy)]
pub(in crate::server) struct ClosingTimes {
    /// Moment at which the server began to close.
    pub(in crate::server) since: Instant,
    /// Time for which connections without a request are kept.
    pub(in crate::server) quiet_window: Duration,
    /// Time within which a client closes its side (`client_disconnect_timeout`).
    pub(in crate::server) disconnect: Duration,
    /// Time for a request's head (`client_request_timeout`).
    pub(in crate::server) head: Option<Duration>,
    /// Time over which the Closes of web sockets are spread (`websocket_close_spread`).
    pub(in crate::server) close_spread: Duration,
}

/// Next step of a connection towards its end.
#[derive(Clone, Copy)]
pub(super) enum ClosingStep {
    /// Something has to happen on the connection first.
    Wait,
    /// Nothing is to be done before this moment.
    WaitUntil(Instant),
    /// The connection's state has changed.
    Changed,
}

/// Next act that is expected of a client which has acknowledged everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) enum ExpectedAct {
    Nothing,
    /// The client may still send a request's body (HTTP/1).
    Body,
    /// The client may not have read everything, and sends frames while it reads (HTTP/2).
    Reading,
    /// The client has to answer a Close (WebSocket).
    Close,
}

/// End of a connection as its protocol defines it.
pub(super) trait ClosingProtocol {
    /// Announces the connection's end, if the protocol has a way that needs no response and does no
    /// harm to requests that are on their way. Returns whether there is something to write.
    fn announce_end(&mut self) -> bool {
        false
    }

    /// Returns whether the end of the connection waits for the client to take what is written.
    /// Other connections are waited for in another way, and for another time.
    fn is_delivering(&self, responses: &Responses) -> bool;

    /// Takes the next step of an open connection towards its end.
    fn next_step(&mut self, closing: &mut Closing<'_>) -> ClosingStep;

    /// Looks at bytes of the client that nobody reads any more. Returns whether the bytes show that
    /// the client still reads.
    fn discard(&mut self, _bytes: &[u8]) -> bool {
        false
    }

    /// Returns the act that is still expected of the client once it has acknowledged everything.
    fn expected_act(&self) -> ExpectedAct;
}

/// Open connection of a server that closes, with all that decides its next step.
pub(super) struct Closing<'c> {
    connection: &'c Connection,
    times: &'c ClosingTimes,
    closer: &'c mut Closer,
    peer: &'c dyn Peer,
    /// Step of a connection that waits for its client's acknowledgements.
    acknowledgement: ClosingStep,
}

impl Closing<'_> {
    /// Judges the silence of a client that could use the connection since this moment.
    fn silence_since(&self, since: Instant) -> Silence {
        self.connection.silence.judge(since, self.times, self.peer)
    }

    /// Ends the connection if this moment has come, and else waits for it.
    fn end_at(&self, at: Instant) -> ClosingStep {
        if Instant::now() < at {
            return ClosingStep::WaitUntil(at);
        }
        self.connection.end();
        ClosingStep::Changed
    }
}

/// State of a connection that closes. It does not exist as long as the server serves.
#[derive(Default)]
pub(in crate::server) struct Closer {
    timer: Option<Pin<Box<Sleep>>>,
    polls: PollTimes,
    close: CloseSchedule,
    /// Moment since which the last stream has been named (HTTP/2).
    last_named_at: Option<Instant>,
}

impl Closer {
    /// Polls a timer for this moment.
    fn poll_until(&mut self, at: Instant, context: &mut Context<'_>) -> Poll<()> {
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if timer.deadline() != at {
            timer.as_mut().reset(at);
        }
        timer.as_mut().poll(context)
    }
}

impl Connection {
    /// Takes the steps towards the connection's end that are due, and schedules a poll of the task
    /// of `context` for the next one. `peer` answers questions about the client.
    pub(in crate::server) fn poll_closing(
        &self,
        closer: &mut Option<Box<Closer>>,
        context: &mut Context<'_>,
        peer: &dyn Peer,
    ) {
        let Some(times) = self.phase.closing.get() else { return };
        let closer = closer.get_or_insert_default();
        loop {
            match self.next_step(&times, closer, peer) {
                ClosingStep::Wait => return,
                ClosingStep::Changed => {}
                ClosingStep::WaitUntil(at) => {
                    if closer.poll_until(at, context).is_pending() {
                        return;
                    }
                }
            }
        }
    }

    /// Looks after a response that has just been written in part. If its client takes no more of
    /// it, nothing else has the task of `context` polled.
    pub(in crate::server) fn poll_delivery(
        &self,
        closer: &mut Option<Box<Closer>>,
        context: &mut Context<'_>,
        peer: &dyn Peer,
    ) {
        let Some(times) = self.phase.closing.get() else { return };
        let is_delivering = self.protocol.borrow_mut().closing().is_delivering(&self.responses);
        if !is_delivering || self.is_given_up() {
            return;
        }
        let closer = closer.get_or_insert_default();
        if let ClosingStep::WaitUntil(at) = self.acknowledge(&times, closer, peer)
            && closer.poll_until(at, context).is_ready()
        {
            context.waker().wake_by_ref();
        }
    }

    fn next_step(&self, times: &ClosingTimes, closer: &mut Closer, peer: &dyn Peer) -> ClosingStep {
        if self.state.get() != ConnectionState::Open {
            return ClosingStep::Wait;
        }
        let acknowledgement = self.acknowledge(times, closer, peer);
        if self.is_given_up() {
            return ClosingStep::Wait;
        }
        let mut closing = Closing { connection: self, times, closer, peer, acknowledgement };
        self.protocol.borrow_mut().closing().next_step(&mut closing)
    }

    /// Asks the kernel for the client's acknowledgements, as long as they matter, and returns the
    /// time of the next question.
    fn acknowledge(
        &self,
        times: &ClosingTimes,
        closer: &mut Closer,
        peer: &dyn Peer,
    ) -> ClosingStep {
        let is_awaited = self.responses.has_unacknowledged();
        let has_completed = || self.http2().is_some_and(|http2| http2.has_completed());
        if !is_awaited && !self.responses.are_owed() && !has_completed() {
            return ClosingStep::Wait;
        }
        let info = peer.info();
        self.delivered(info.as_ref());
        if is_awaited && !self.responses.has_unacknowledged() {
            self.responses.set_idle();
        }
        // A response that is still being made may have been written in part.
        let Some(info) = info.filter(TcpInfo::is_unacknowledged) else { return ClosingStep::Wait };
        if info.has_vanished(times.disconnect) {
            self.state.set(ConnectionState::GivenUp);
        }
        ClosingStep::WaitUntil(closer.polls.next(&info))
    }
}
