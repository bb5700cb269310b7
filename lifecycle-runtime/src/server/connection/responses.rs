//! Responses that a connection owes its client.

use std::cell::{Cell, RefCell};

use tokio::time::Instant;

use super::delivery::Deliveries;
use crate::server::tcp_info::TcpInfo;
use crate::server::traffic::RequestEntry;

/// Responses of a connection that its client waits for: those that the app has yet to complete, and
/// those that are on their way.
pub(super) struct Responses {
    /// Set once a first request has begun.
    have_begun: Cell<bool>,
    /// Count of the requests whose response the app has not completed.
    in_flight: Cell<usize>,
    deliveries: RefCell<Deliveries>,
    /// Time since which no response has been owed. It is only exact for times after the server
    /// began to stop.
    idle_since: Cell<Instant>,
}

impl Responses {
    pub(super) fn new() -> Self {
        Self {
            have_begun: Cell::new(false),
            in_flight: Cell::new(0),
            deliveries: RefCell::default(),
            idle_since: Cell::new(Instant::now()),
        }
    }

    /// Returns whether a request has begun.
    pub(super) fn have_begun(&self) -> bool {
        self.have_begun.get()
    }

    /// Counts a request that begins.
    pub(super) fn begin(&self) {
        self.have_begun.set(true);
        self.in_flight.set(self.in_flight.get() + 1);
    }

    /// Counts a request whose response the app has completed or given up.
    pub(super) fn end(&self) {
        self.in_flight.set(self.in_flight.get() - 1);
    }

    /// Returns whether the app, the transport or the network still owes the client a response.
    pub(super) fn are_owed(&self) -> bool {
        self.in_flight.get() > 0 || !self.deliveries.borrow().is_empty()
    }

    /// Returns the time since which no response has been owed.
    pub(super) fn idle_since(&self) -> Instant {
        self.idle_since.get()
    }

    /// Has the time without a response begin now.
    pub(super) fn set_idle(&self) {
        self.idle_since.set(Instant::now());
    }

    /// Adds a response that the app has completed.
    pub(super) fn write(&self, response: RequestEntry) {
        self.deliveries.borrow_mut().write(response);
    }

    /// Returns whether a response has not been written to its last byte.
    pub(super) fn has_unflushed(&self) -> bool {
        self.deliveries.borrow().has_unflushed()
    }

    /// Notes that everything has been written to the socket.
    pub(super) fn flush(&self, info: Option<TcpInfo>) {
        self.deliveries.borrow_mut().flush(info);
    }

    /// Returns whether a response is written, and the client has not acknowledged it.
    pub(super) fn has_unacknowledged(&self) -> bool {
        self.deliveries.borrow().has_unacknowledged()
    }

    /// Counts the responses that the client has acknowledged; all of them where the kernel doesn't
    /// tell.
    pub(super) fn acknowledge(&self, info: Option<&TcpInfo>) {
        self.deliveries.borrow_mut().acknowledge(info);
    }
}
