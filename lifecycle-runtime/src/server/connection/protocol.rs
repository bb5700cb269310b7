//! Protocol of a connection. All that differs between protocols at a connection's end is in
//! [`ClosingProtocol`].

use std::rc::Rc;

use super::closing::ClosingProtocol;
pub(super) use super::closing::Http1;
use super::websocket::WebSocket;
use crate::server::http2::Http2;
use crate::server::traffic::RequestEntry;

/// Protocol of a connection, with the state that its end needs.
pub(super) enum HttpProtocol {
    Http1(Http1),
    Http2(Box<Http2<RequestEntry>>),
    WebSocket(Rc<WebSocket>),
}

impl HttpProtocol {
    /// Returns the protocol as the end of a connection sees it.
    pub(super) fn closing(&mut self) -> &mut dyn ClosingProtocol {
        match self {
            Self::Http1(http1) => http1,
            Self::Http2(http2) => &mut **http2,
            Self::WebSocket(websocket) => websocket,
        }
    }

    /// Returns the name of the protocol.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Http1(_) => "http/1.1",
            Self::Http2(_) => "http/2",
            Self::WebSocket(_) => "websocket",
        }
    }

    /// Assigns the next request to a stream; to 0, which is no stream, where the protocol has none.
    /// Returns `None` if the client has been told before that the request would come too late.
    pub(super) fn begin_request(&mut self, is_reset: impl FnOnce() -> bool) -> Option<u32> {
        match self {
            Self::Http1(http1) if http1.has_announced_last() => None,
            Self::Http1(_) | Self::WebSocket(_) => Some(0),
            Self::Http2(http2) => http2.begin(is_reset),
        }
    }

    /// Announces the connection's end with a response that begins now: by a header, or by a GOAWAY
    /// to a client that has come after the announcement to all. That client has had its request by
    /// then, where a GOAWAY at once would let it send none.
    pub(super) fn announce_end_with_response(&mut self) {
        match self {
            Self::Http1(http1) => http1.announce_last(),
            Self::Http2(http2) => http2.announce(),
            Self::WebSocket(_) => {}
        }
    }

    /// Returns whether responses have a `Keep-Alive` header (RFC 9113, section 8.2.2, forbids it in
    /// HTTP/2).
    pub(super) fn has_keep_alive_header(&self) -> bool {
        matches!(self, Self::Http1(_))
    }

    /// Notes that this many bytes of the client have been read.
    pub(super) fn received(&self, bytes: usize) {
        if let Self::WebSocket(websocket) = self {
            websocket.arrived(bytes);
        }
    }
}
