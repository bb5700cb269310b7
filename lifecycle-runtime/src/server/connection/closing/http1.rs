//! End of an HTTP/1 connection. Its announcement is a header of a response.

use super::quiet_window::Silence;
use super::{Closing, ClosingProtocol, ClosingStep, ExpectedAct};
use crate::server::connection::ConnectionState;
use crate::server::connection::responses::Responses;

/// State of an HTTP/1 connection that its end needs.
#[derive(Default)]
pub(in crate::server::connection) struct Http1 {
    /// Set once a response has announced that it is the last.
    has_announced_last: bool,
}

impl Http1 {
    /// Notes that a response announces that it is the last.
    pub(in crate::server::connection) fn announce_last(&mut self) {
        self.has_announced_last = true;
    }

    /// Returns whether a response has announced that it is the last.
    pub(in crate::server::connection) fn has_announced_last(&self) -> bool {
        self.has_announced_last
    }
}

impl ClosingProtocol for Http1 {
    fn is_delivering(&self, responses: &Responses) -> bool {
        responses.are_owed()
    }

    fn next_step(&mut self, closing: &mut Closing<'_>) -> ClosingStep {
        let Closing { connection, times, .. } = *closing;
        if connection.responses.are_owed() {
            return closing.acknowledgement;
        }
        let idle_since = connection.idle_since();
        if self.has_announced_last {
            // actix-http may still read a body for which nobody waited.
            return closing.end_at(idle_since + times.disconnect);
        }
        match closing.silence_since(idle_since) {
            Silence::TooShort { look_at } => return ClosingStep::WaitUntil(look_at),
            Silence::LongEnough => connection.state.set(ConnectionState::Quiet),
            Silence::TooLate => connection.end(),
        }
        ClosingStep::Changed
    }

    fn expected_act(&self) -> ExpectedAct {
        ExpectedAct::Body
    }
}
