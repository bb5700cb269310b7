//! Clients that keep a journal of what they see.
//!
//! The file is a `mod.rs`, so that another test program can name it by its path.

mod hpack;
mod http1;
mod http2;
mod journal;
mod target;

use lifecycle_tests::http::Transport;

pub(crate) use http1::Http1;
pub(crate) use http2::{Http2, Reading};
pub(crate) use journal::{Journal, Outcome, Tally};
pub(crate) use target::{Protocol, Target, upgrade};

/// Response as its client saw it.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: String,
    /// Set if the server has told the client to send no more on this connection.
    pub(crate) is_last: bool,
}

/// Connection that carries one request after the other.
pub(crate) trait Client {
    /// Sends a request without a body.
    fn send(&mut self, path: &str);

    /// Waits for the response to what was sent, and notes the outcome.
    fn receive(&mut self) -> Option<Reply>;

    /// Waits for the end of the connection, which has to be in order, and returns the journal.
    fn end(self: Box<Self>) -> Journal;

    /// Drops the connection, and returns the journal.
    fn into_journal(self: Box<Self>) -> Journal;

    /// Sends a request, and waits for its response.
    fn get(&mut self, path: &str) -> Option<Reply> {
        self.send(path);
        self.receive()
    }
}

/// Connects, or returns the journal of the attempt.
pub(crate) fn connect(target: &Target, mut journal: Journal) -> Result<Box<dyn Client>, Journal> {
    match target.open_or_note(&mut journal) {
        Some(transport) => Ok(over(target, transport, journal)),
        None => Err(journal),
    }
}

/// Begins to speak the target's protocol on a connection.
pub(crate) fn over(
    target: &Target,
    transport: Box<dyn Transport>,
    journal: Journal,
) -> Box<dyn Client> {
    if target.protocol.is_http2() {
        Box::new(Http2::over(transport, journal, Reading::default()))
    } else {
        Box::new(Http1::over(transport, journal))
    }
}
