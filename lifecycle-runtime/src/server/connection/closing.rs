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
//!   never pauses is told the last stream after `client_request_timeout`.
//! - A WebSocket ends with a Close, once its handler waits for a message, or reads none for a
//!   second.
//!
//! No connection outlasts the drain's deadline: then the worker drops all its connections.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use super::{Connection, ConnectionState, HttpProtocol};
use crate::server::connection::websocket::WebSocket;
use crate::server::http2::Http2;
use crate::server::tcp_info::{Peer, PollTimes, TcpInfo};
use crate::server::traffic::RequestEntry;

/// Number of round trips that a quiet connection is given on top of the quiet window. In that time,
/// a request that was lost on its way may be sent again.
const ROUND_TRIPS: u32 = 3;

/// Shortest pause before the next look at a connection whose unread bytes must be read first.
const UNREAD: Duration = Duration::from_millis(1);

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

/// State of a connection without a request, judged by its client's silence.
enum Quiet {
    /// Bytes may still come: look again after this step.
    NotYet(ClosingStep),
    /// Nothing has come for long enough.
    Yes,
    /// Something has come for longer than a client has for a request's head.
    TooLate,
}

/// Next step of a connection towards its end.
enum ClosingStep {
    /// Something has to happen on the connection first.
    Wait,
    /// Nothing is to be done before this moment.
    WaitUntil(Instant),
    /// The connection's state has changed.
    Changed,
}

impl ClosingStep {
    fn no_later_than(self, latest: Instant) -> Self {
        match self {
            Self::WaitUntil(at) => Self::WaitUntil(at.min(latest)),
            step => step,
        }
    }
}

/// State of a connection that closes. It does not exist as long as the server serves.
#[derive(Default)]
pub(in crate::server) struct Closer {
    timer: Option<Pin<Box<Sleep>>>,
    polls: PollTimes,
    /// Part of the spread that this connection's Close waits.
    delay: Option<Duration>,
    /// Counts of the bytes that a WebSocket has moved in each direction before its Close, and the
    /// time of their last change.
    progress: Option<((u64, u64), Instant)>,
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
        peer: &impl Peer,
    ) {
        let Some(times) = self.phase.closing.get() else { return };
        let closer = closer.get_or_insert_default();
        loop {
            match self.step(&times, closer, peer) {
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
        peer: &impl Peer,
    ) {
        let Some(times) = self.phase.closing.get() else { return };
        // Other connections are waited for in another way, and for another time.
        let is_delivering = match &*self.protocol.borrow() {
            HttpProtocol::Http1 => self.owes_response(),
            HttpProtocol::Http2(http2) => http2.has_named_last() && !http2.is_done(),
            HttpProtocol::WebSocket(websocket) => {
                websocket.is_asked_to_close() && websocket.is_working()
            }
        };
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

    fn step(&self, times: &ClosingTimes, closer: &mut Closer, peer: &impl Peer) -> ClosingStep {
        if !matches!(self.state.get(), ConnectionState::Open | ConnectionState::LastResponse) {
            return ClosingStep::Wait;
        }
        let acknowledges = self.acknowledge(times, closer, peer);
        if self.is_given_up() {
            return ClosingStep::Wait;
        }
        if let Some(websocket) = self.websocket() {
            return self.step_websocket(&websocket, acknowledges, times, closer, peer);
        }
        if let Some(mut http2) = self.http2() {
            return self.step_http2(&mut http2, acknowledges, times, peer);
        }
        self.step_http1(acknowledges, times, peer)
    }

    fn step_http1(
        &self,
        acknowledges: ClosingStep,
        times: &ClosingTimes,
        peer: &impl Peer,
    ) -> ClosingStep {
        if self.owes_response() {
            return acknowledges;
        }
        if self.state.get() == ConnectionState::LastResponse {
            // actix-http may still read a body for which nobody waited.
            return self.end_at(self.idle_since.get() + times.disconnect);
        }
        match self.quiet(self.idle_since.get(), times, peer) {
            Quiet::NotYet(step) => return step,
            Quiet::Yes => self.state.set(ConnectionState::Quiet),
            Quiet::TooLate => self.end(),
        }
        ClosingStep::Changed
    }

    fn step_http2(
        &self,
        http2: &mut Http2<RequestEntry>,
        acknowledges: ClosingStep,
        times: &ClosingTimes,
        peer: &impl Peer,
    ) -> ClosingStep {
        if http2.is_done() {
            // A client that reads the end while it answers the PING may take it for a fault. A
            // client that has everything, and sends requests or a body for ever, answers no PING.
            let latest = times.since.max(self.idle_since.get()) + times.disconnect;
            if !http2.has_been_read()
                && (self.owes_response() || Instant::now() < latest)
                && let Quiet::NotYet(step) = self.quiet(self.idle_since.get(), times, peer)
            {
                return if self.owes_response() { step } else { step.no_later_than(latest) };
            }
            self.end();
            return ClosingStep::Changed;
        }
        if http2.has_named_last() {
            return acknowledges;
        }
        http2.announce();
        // Requests that are on their way have arrived once the connection is quiet, even if the
        // client never answers a PING.
        if let Quiet::NotYet(step) = self.quiet(times.since, times, peer) {
            return step;
        }
        http2.announce_last();
        ClosingStep::Changed
    }

    fn end_at(&self, at: Instant) -> ClosingStep {
        if Instant::now() < at {
            return ClosingStep::WaitUntil(at);
        }
        self.end();
        ClosingStep::Changed
    }

    /// Asks the kernel for the client's acknowledgements, as long as they matter, and returns the
    /// time of the next question.
    fn acknowledge(
        &self,
        times: &ClosingTimes,
        closer: &mut Closer,
        peer: &impl Peer,
    ) -> ClosingStep {
        let is_awaited = self.deliveries.borrow().has_unacknowledged();
        if !is_awaited && !self.owes_response() {
            return ClosingStep::Wait;
        }
        let info = peer.info();
        self.delivered(info.as_ref());
        if is_awaited && !self.deliveries.borrow().has_unacknowledged() {
            self.idle_since.set(Instant::now());
        }
        // A response that is still being made may have been written in part.
        let Some(info) = info.filter(TcpInfo::is_unacknowledged) else { return ClosingStep::Wait };
        if info.has_vanished(times.disconnect) {
            self.state.set(ConnectionState::GivenUp);
        }
        ClosingStep::WaitUntil(closer.polls.next(&info))
    }

    /// Returns whether nothing has come for long enough: for the quiet window, counted from when
    /// the client could use the connection, and for a few round trips.
    fn quiet(&self, since: Instant, times: &ClosingTimes, peer: &impl Peer) -> Quiet {
        let since = times.since.max(since);
        let now = Instant::now();
        if now < since + times.quiet_window {
            return Quiet::NotYet(ClosingStep::WaitUntil(since + times.quiet_window));
        }
        let heard = self.heard_at.get().map(|at| now - at);
        // Bytes that came while the process could not read them are not late. (A client that sends
        // without a pause has been heard just now. And the bytes may stay unread, if nobody reads
        // from the connection any more.)
        if heard.is_none_or(|heard| heard > times.quiet_window) && peer.has_unread() {
            let seen = self.unread_since.get().unwrap_or(now);
            self.unread_since.set(Some(seen));
            if now < seen + times.head.unwrap_or(times.disconnect) {
                let pause = ((now - seen) / 2).clamp(UNREAD, PollTimes::LONGEST);
                return Quiet::NotYet(ClosingStep::WaitUntil(now + pause));
            }
        }
        let latest = times.head.map(|head| since + head.max(times.quiet_window));
        if latest.is_some_and(|latest| latest <= now) {
            return Quiet::TooLate;
        }
        let info = peer.info().unwrap_or(TcpInfo {
            silent_for: heard.unwrap_or(Duration::MAX),
            ..TcpInfo::default()
        });
        if info.has_vanished(times.disconnect) {
            return Quiet::TooLate;
        }
        let left = if info.is_unacknowledged() {
            info.poll_interval()
        } else {
            let quiet_for = info.silent_for.min(now - since);
            (times.quiet_window + ROUND_TRIPS * info.round_trip).saturating_sub(quiet_for)
        };
        // A timer is not more precise than that.
        if left < Duration::from_millis(1) {
            return Quiet::Yes;
        }
        Quiet::NotYet(ClosingStep::WaitUntil(
            latest.map_or(now + left, |latest| latest.min(now + left)),
        ))
    }

    fn step_websocket(
        &self,
        websocket: &WebSocket,
        acknowledges: ClosingStep,
        times: &ClosingTimes,
        closer: &mut Closer,
        peer: &impl Peer,
    ) -> ClosingStep {
        let now = Instant::now();
        let delay =
            *closer.delay.get_or_insert_with(|| times.close_spread.mul_f64(fastrand::f64()));
        if !websocket.is_asked_to_close() {
            if now < times.since + delay {
                return ClosingStep::WaitUntil(times.since + delay);
            }
            websocket.ask_to_close(now, times.quiet_window, peer.has_unread());
        }
        if websocket.is_over() {
            // The client has received everything, and answers a Close while the connection lingers.
            self.end();
            return ClosingStep::Changed;
        }
        let Some(latest) = websocket.latest_close() else { return ClosingStep::Wait };
        if now < latest {
            return ClosingStep::WaitUntil(latest);
        }
        if websocket.is_working() {
            // A handler that has answered may never read again.
            return websocket.answered_by().map_or(acknowledges, ClosingStep::WaitUntil);
        }
        // The response's body, which is polled after this, sends the Close now, unless the client
        // takes nothing.
        let moved = peer.info().map_or((0, 0), |info| (info.acknowledged, info.received));
        let progress = closer.progress.get_or_insert((moved, now));
        if progress.0 != moved {
            *progress = (moved, now);
        }
        let until = progress.1 + times.disconnect;
        if now < until {
            return ClosingStep::WaitUntil(until);
        }
        self.state.set(ConnectionState::GivenUp);
        ClosingStep::Wait
    }
}
