//! End of an HTTP/2 connection. Its announcements are frames: a GOAWAY that permits every stream,
//! one that names the last, and a PING behind that.

use tokio::time::Instant;

use super::quiet_window::Silence;
use super::{Closing, ClosingProtocol, ClosingStep, ExpectedAct};
use crate::server::connection::responses::Responses;
use crate::server::http2::Http2;
use crate::server::traffic::RequestEntry;

impl ClosingProtocol for Http2<RequestEntry> {
    fn announce_end(&mut self) -> bool {
        self.announce();
        self.has_due()
    }

    fn is_delivering(&self, _responses: &Responses) -> bool {
        self.has_named_last() && !self.is_done()
    }

    fn next_step(&mut self, closing: &mut Closing<'_>) -> ClosingStep {
        if self.is_done() {
            return step_when_done(self.has_been_read(), closing);
        }
        if self.has_named_last() {
            return if closing.connection.responses.are_owed() || self.has_completed() {
                closing.acknowledgement
            } else {
                step_without_request(self.has_due(), closing)
            };
        }
        self.announce();
        // Requests that are on their way have arrived once the connection is quiet, even if the
        // client never answers a PING.
        let opened_at = closing.connection.opened_at.get();
        if let Silence::TooShort { look_at } = closing.silence_since(opened_at) {
            return ClosingStep::WaitUntil(look_at);
        }
        self.announce_last();
        ClosingStep::Changed
    }

    fn discard(&mut self, bytes: &[u8]) -> bool {
        self.discarded(bytes)
    }

    fn expected_act(&self) -> ExpectedAct {
        if self.has_been_read() { ExpectedAct::Nothing } else { ExpectedAct::Reading }
    }
}

/// Takes the next step of a connection whose open streams have become no request, as their heads
/// have not come to the end. `has_due` is set while the last stream has yet to be named on the
/// wire.
fn step_without_request(has_due: bool, closing: &mut Closing<'_>) -> ClosingStep {
    let Closing { connection, times, .. } = *closing;
    let named_at = *closing.closer.last_named_at.get_or_insert_with(Instant::now);
    let since = named_at.max(connection.idle_since());
    if let Silence::TooShort { look_at } = closing.silence_since(since) {
        return ClosingStep::WaitUntil(look_at);
    }
    if has_due {
        return closing.end_at(since + times.disconnect);
    }
    connection.end();
    ClosingStep::Changed
}

/// Takes the next step of a connection whose last stream has ended.
fn step_when_done(has_been_read: bool, closing: &Closing<'_>) -> ClosingStep {
    let Closing { connection, times, .. } = *closing;
    // A client that reads the end while it answers the PING may take it for a fault. A client that
    // has everything, and sends requests or a body for ever, answers no PING.
    let idle_since = connection.idle_since();
    let latest = times.since.max(idle_since) + times.disconnect;
    let is_owed = connection.responses.are_owed();
    if !has_been_read
        && (is_owed || Instant::now() < latest)
        && let Silence::TooShort { look_at } = closing.silence_since(idle_since)
    {
        return ClosingStep::WaitUntil(if is_owed { look_at } else { look_at.min(latest) });
    }
    connection.end();
    ClosingStep::Changed
}
