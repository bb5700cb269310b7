//! End of a WebSocket. Its announcement is a Close between two messages.

use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

use super::{Closing, ClosingProtocol, ClosingStep, ExpectedAct};
use crate::server::connection::ConnectionState;
use crate::server::connection::responses::Responses;
use crate::server::connection::websocket::WebSocket;

/// Schedule of the Close that the server sends on a WebSocket.
#[derive(Default)]
pub(super) struct CloseSchedule {
    /// Part of the spread that this connection's Close waits.
    delay: Option<Duration>,
    /// Counts of the bytes that have moved, and the time of their last change.
    progress: Option<(Moved, Instant)>,
}

impl CloseSchedule {
    /// Returns the part of the spread that the Close waits, which is drawn once.
    fn delay(&mut self, spread: Duration) -> Duration {
        *self.delay.get_or_insert_with(|| spread.mul_f64(fastrand::f64()))
    }

    /// Notes the counts of the bytes that have moved, and returns the time of their last change.
    fn last_moved(&mut self, moved: Moved, now: Instant) -> Instant {
        let progress = self.progress.get_or_insert((moved, now));
        if progress.0 != moved {
            *progress = (moved, now);
        }
        progress.1
    }
}

/// Counts of the bytes that a WebSocket has moved in each direction.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Moved {
    /// Counts of the bytes that have been read from the socket and written to it.
    in_process: (u64, u64),
    /// Counts of the bytes that have come and that the client has acknowledged, where the kernel
    /// tells.
    in_network: Option<(u64, u64)>,
}

impl ClosingProtocol for Rc<WebSocket> {
    fn is_delivering(&self, _responses: &Responses) -> bool {
        self.is_asked_to_close() && (self.is_working() || self.is_sending())
    }

    fn next_step(&mut self, closing: &mut Closing<'_>) -> ClosingStep {
        let Closing { connection, times, peer, .. } = *closing;
        let now = Instant::now();
        let close_at = times.since + closing.closer.close.delay(times.close_spread);
        if !self.is_asked_to_close() {
            if now < close_at {
                return ClosingStep::WaitUntil(close_at);
            }
            self.ask_to_close(now, times.quiet_window, peer.has_unread());
        }
        if self.is_over() {
            // The client has received everything, and answers a Close while the connection lingers.
            connection.end();
            return ClosingStep::Changed;
        }
        let Some(latest) = self.latest_close() else { return ClosingStep::Wait };
        if now < latest {
            return ClosingStep::WaitUntil(latest);
        }
        if self.is_working() {
            // A handler that has answered may never read again.
            return self.answered_by().map_or(closing.acknowledgement, ClosingStep::WaitUntil);
        }
        // The response's body, which is polled after this, sends the Close now, unless a message is
        // under way or the client takes nothing.
        let info = peer.info();
        let in_network = info.map(|info| (info.received, info.acknowledged));
        let moved = Moved { in_process: self.moved(), in_network };
        let until = closing.closer.close.last_moved(moved, now) + times.disconnect;
        if now < until {
            return ClosingStep::WaitUntil(until);
        }
        // Nobody waits for the rest of a message that a client has begun, but the handler's
        // messages have the time of a request.
        self.ignore_incoming();
        let takes_nothing = self.is_stuck() || info.is_some_and(|info| info.is_unacknowledged());
        // While the kernel gets no answer at all, the network may be out of order.
        if takes_nothing && !info.is_some_and(|info| info.is_unanswered) {
            connection.state.set(ConnectionState::GivenUp);
            return ClosingStep::Wait;
        }
        closing.acknowledgement
    }

    fn discard(&mut self, bytes: &[u8]) -> bool {
        self.received(bytes);
        false
    }

    fn expected_act(&self) -> ExpectedAct {
        if self.client_has_closed() { ExpectedAct::Nothing } else { ExpectedAct::Close }
    }
}
