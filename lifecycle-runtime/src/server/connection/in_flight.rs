//! Requests from their head to the last byte that the app gives of their response.

use std::rc::Rc;

use super::{Connection, HttpProtocol};
use crate::server::traffic::{PollGuard, RequestEntry, RequestOutcome};

/// Guard of a request in flight.
pub(in crate::server) struct InFlight {
    connection: Rc<Connection>,
    entry: Option<RequestEntry>,
    /// Stream on which the request has come (HTTP/2).
    stream: u32,
}

impl InFlight {
    pub(super) fn new(connection: &Rc<Connection>, entry: RequestEntry, stream: u32) -> Self {
        Self { connection: Rc::clone(connection), entry: Some(entry), stream }
    }

    pub(in crate::server) fn connection(&self) -> &Rc<Connection> {
        &self.connection
    }

    /// Notes that the request's handler or body is polled, until the guard is dropped.
    pub(in crate::server) fn poll(&self) -> Option<PollGuard<'_>> {
        self.entry.as_ref()?.poll()
    }

    /// Notes that the app has completed the response. The request is finished when the response is
    /// written.
    pub(in crate::server) fn complete(mut self) {
        let Some(entry) = self.entry.take() else { return };
        match &mut *self.connection.protocol.borrow_mut() {
            HttpProtocol::Http2(http2) => http2.complete(self.stream, entry),
            HttpProtocol::Http1(_) | HttpProtocol::WebSocket(_) => {
                self.connection.responses.write(entry);
            }
        }
    }

    /// Counts the request as failed, as the body of its response has ended with an error.
    pub(in crate::server) fn fail(mut self, error: String) {
        if let Some(entry) = self.entry.take() {
            entry.end(RequestOutcome::Failed(error));
        }
    }

    /// Counts the request as one whose handler has panicked with this message, whatever becomes of
    /// the response.
    pub(in crate::server) fn panicked(&self, message: String) {
        if let Some(entry) = &self.entry {
            entry.panicked(Some(message));
        }
    }

    /// Counts the request as finished, as nothing of it is left to write.
    pub(in crate::server) fn finish(mut self) {
        if let Some(entry) = self.entry.take() {
            entry.end(RequestOutcome::Finished);
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.connection.responses.end();
        self.connection.phase.in_flight.update(|count| count - 1);
        if let Some(entry) = self.entry.take() {
            if std::thread::panicking() {
                // The drop of the handler or its body has panicked, unless it is known already.
                entry.panicked(None);
            }
            entry.end(RequestOutcome::Abandoned);
        }
        self.connection.mark_idle();
    }
}
