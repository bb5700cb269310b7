//! Responses on their way to the client, in the transport or in the network.

use std::collections::VecDeque;

use crate::server::tcp_info::TcpInfo;
use crate::server::traffic::{RequestEntry, RequestOutcome};

/// Queue of the responses that the app has completed, in the order in which they are written.
#[derive(Default)]
pub(super) struct Deliveries {
    /// Responses that have not been written to the last byte.
    unflushed: Vec<RequestEntry>,
    /// Responses that the client has not acknowledged, each with the count of bytes that have been
    /// written up to its end. Only filled while connections are being closed.
    unacknowledged: VecDeque<(RequestEntry, u64)>,
}

impl Deliveries {
    pub(super) fn is_empty(&self) -> bool {
        self.unflushed.is_empty() && self.unacknowledged.is_empty()
    }

    pub(super) fn has_unflushed(&self) -> bool {
        !self.unflushed.is_empty()
    }

    pub(super) fn has_unacknowledged(&self) -> bool {
        !self.unacknowledged.is_empty()
    }

    /// Adds a response.
    pub(super) fn write(&mut self, response: RequestEntry) {
        self.unflushed.push(response);
    }

    /// Notes that everything has been written to the socket. Without `info`, all responses count as
    /// finished, as no more can be known.
    pub(super) fn flush(&mut self, info: Option<TcpInfo>) {
        self.acknowledge(info.as_ref());
        let Some(info) = info.filter(TcpInfo::is_unacknowledged) else {
            while let Some(response) = self.unflushed.pop() {
                response.end(RequestOutcome::Finished);
            }
            return;
        };
        for response in self.unflushed.drain(..) {
            response.written();
            self.unacknowledged.push_back((response, info.written));
        }
    }

    /// Counts the responses that the client has acknowledged; all of them where the kernel doesn't
    /// tell.
    pub(super) fn acknowledge(&mut self, info: Option<&TcpInfo>) {
        let acknowledged = info.map_or(u64::MAX, |info| info.acknowledged);
        while self.unacknowledged.front().is_some_and(|(_, end)| *end <= acknowledged) {
            self.unacknowledged.pop_front();
        }
    }
}
