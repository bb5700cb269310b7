//! State of one connection: the responses that it owes, the announcement of its end, and the end
//! itself.
//!
//! Everything here runs on the connection's worker thread, most of it in the task that drives the
//! connection.

mod closing;
mod delivery;
mod in_flight;
#[cfg(test)]
mod tests;
pub(super) mod websocket;

use std::cell::{Cell, RefCell, RefMut};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Waker};

use actix_http::Request;
use actix_web::http::header::HeaderValue;
use tokio::time::Instant;

pub(super) use closing::{Closer, ClosingTimes};
use delivery::Deliveries;
pub(super) use in_flight::InFlight;

use super::http2::Http2;
use super::tcp_info::TcpInfo;
use super::traffic::{RequestEntry, RequestTable};
use websocket::WebSocket;

/// Progress of the end of a worker's connections.
pub(super) struct WorkerPhase {
    /// Set once the server's responses announce that their connection closes.
    announces: Arc<AtomicBool>,
    /// Value of the `Keep-Alive` header, if connections are kept for a time that clients can be
    /// told.
    keep_alive: Option<HeaderValue>,
    closing: Cell<Option<ClosingTimes>>,
}

impl WorkerPhase {
    pub(super) fn new(announces: Arc<AtomicBool>, keep_alive: Option<HeaderValue>) -> Self {
        Self { announces, keep_alive, closing: Cell::new(None) }
    }

    /// Makes connections close from now on.
    pub(super) fn close(&self, times: ClosingTimes) {
        self.closing.set(Some(times));
    }
}

/// Protocol of a connection, with the state that its end needs.
enum HttpProtocol {
    Http1,
    Http2(Box<Http2<RequestEntry>>),
    WebSocket(Rc<WebSocket>),
}

/// Progress of a connection towards its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ConnectionState {
    /// The client may send requests.
    Open,
    /// A response has announced that it is the last (HTTP/1).
    LastResponse,
    /// The connection has been quiet for long enough, and ends unless something arrives right now.
    Quiet,
    /// The connection reads as if the client had closed its half: actix-http writes what it owes,
    /// and closes.
    Ended,
    /// The client no longer takes anything, and there is nothing to wait for.
    GivenUp,
}

/// Next act that is expected of a client which has acknowledged everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    Nothing,
    /// The client may still send a request's body (HTTP/1).
    Body,
    /// The client may not have read everything, and sends frames while it reads (HTTP/2).
    Reading,
    /// The client has to answer a Close (WebSocket).
    Close,
}

/// State of a connection, shared by its transport, its requests and its worker.
pub(super) struct Connection {
    table: Arc<RequestTable>,
    phase: Rc<WorkerPhase>,
    /// Task that drives the connection.
    task: RefCell<Option<Waker>>,
    protocol: RefCell<HttpProtocol>,
    state: Cell<ConnectionState>,
    /// Set once a first request has begun.
    has_begun: Cell<bool>,
    /// Count of the requests whose response the app has not completed.
    in_flight: Cell<usize>,
    deliveries: RefCell<Deliveries>,
    /// Time since which no response has been owed. It is only exact for times after the server
    /// began to stop.
    idle_since: Cell<Instant>,
    /// Time at which the client last sent something, if that was after connections began to be
    /// closed.
    heard_at: Cell<Option<Instant>>,
    /// Time since which bytes have come that nobody has read.
    unread_since: Cell<Option<Instant>>,
}

impl Connection {
    pub(super) fn new(table: Arc<RequestTable>, phase: Rc<WorkerPhase>) -> Self {
        Self {
            table,
            phase,
            task: RefCell::default(),
            protocol: RefCell::new(HttpProtocol::Http1),
            state: Cell::new(ConnectionState::Open),
            has_begun: Cell::new(false),
            in_flight: Cell::new(0),
            deliveries: RefCell::default(),
            idle_since: Cell::new(Instant::now()),
            heard_at: Cell::new(None),
            unread_since: Cell::new(None),
        }
    }

    /// Remembers the task that drives the connection.
    pub(super) fn driven_by(&self, context: &Context<'_>) {
        *self.task.borrow_mut() = Some(context.waker().clone());
    }

    /// Wakes the task, which then looks at the connection again.
    pub(super) fn wake(&self) {
        if let Some(task) = &*self.task.borrow() {
            task.wake_by_ref();
        }
    }

    /// Wakes the task if connections are being closed. Before that, a change has no consequences.
    pub(super) fn wake_if_closing(&self) {
        if self.is_closing() {
            self.wake();
        }
    }

    /// Returns whether connections are being closed.
    pub(super) fn is_closing(&self) -> bool {
        self.phase.closing.get().is_some()
    }

    /// Returns whether the server stops, and so responses announce the end of their connection.
    pub(super) fn is_ending(&self) -> bool {
        self.is_closing() || self.phase.announces.load(Ordering::Relaxed)
    }

    /// Notes that the client has finished the handshake, and can use the connection from now on.
    pub(super) fn opened(&self) {
        self.idle_since.set(Instant::now());
    }

    /// Notes that the last response has been written, by other code than actix-http.
    pub(super) fn answered(&self) {
        self.idle_since.set(Instant::now());
    }

    /// Returns the time since which no response has been owed. The time may be wrong if it is
    /// before the server began to stop, as such times are all long enough ago.
    pub(super) fn idle_since(&self) -> Instant {
        self.idle_since.get()
    }

    /// Notes that the client speaks HTTP/2.
    pub(super) fn speaks_http2(&self) {
        *self.protocol.borrow_mut() = HttpProtocol::Http2(Box::new(Http2::new()));
    }

    /// Notes that the response which begins now makes a WebSocket of the connection.
    pub(super) fn becomes_websocket(&self, websocket: &Rc<WebSocket>) {
        *self.protocol.borrow_mut() = HttpProtocol::WebSocket(Rc::clone(websocket));
    }

    /// Returns whether the client speaks HTTP/2.
    pub(super) fn is_http2(&self) -> bool {
        matches!(*self.protocol.borrow(), HttpProtocol::Http2(_))
    }

    /// Returns the state of the connection's frames, if its protocol is HTTP/2.
    pub(super) fn http2(&self) -> Option<RefMut<'_, Http2<RequestEntry>>> {
        RefMut::filter_map(self.protocol.borrow_mut(), |protocol| match protocol {
            HttpProtocol::Http2(http2) => Some(&mut **http2),
            HttpProtocol::Http1 | HttpProtocol::WebSocket(_) => None,
        })
        .ok()
    }

    /// Returns the state of the WebSocket, if the connection is one.
    pub(super) fn websocket(&self) -> Option<Rc<WebSocket>> {
        match &*self.protocol.borrow() {
            HttpProtocol::WebSocket(websocket) => Some(Rc::clone(websocket)),
            HttpProtocol::Http1 | HttpProtocol::Http2(_) => None,
        }
    }

    /// Announces the connection's end, if the protocol has a way that needs no response and does no
    /// harm to requests that are on their way.
    pub(super) fn announce(&self) {
        let has_new = self.http2().is_some_and(|mut http2| {
            http2.announce();
            http2.has_due()
        });
        if has_new {
            self.wake();
        }
    }

    /// Returns whether a request has begun: the whole of its head has come.
    pub(super) fn has_begun(&self) -> bool {
        self.has_begun.get()
    }

    /// Returns whether the app, the transport or the network still owes the client a response.
    fn owes_response(&self) -> bool {
        self.in_flight.get() > 0 || !self.deliveries.borrow().is_empty()
    }

    /// Returns whether the connection ends unless something arrives right now.
    pub(super) fn is_quiet(&self) -> bool {
        self.state.get() == ConnectionState::Quiet
    }

    /// Returns whether the connection reads as if the client had closed its half, whatever arrives.
    pub(super) fn is_over(&self) -> bool {
        self.state.get() == ConnectionState::Ended
    }

    /// Returns whether the connection has to be dropped as it is.
    pub(super) fn is_given_up(&self) -> bool {
        self.state.get() == ConnectionState::GivenUp
    }

    /// Ends the connection, whatever arrives.
    fn end(&self) {
        self.state.set(ConnectionState::Ended);
    }

    #[cfg(test)]
    pub(super) fn set_quiet(&self) {
        self.state.set(ConnectionState::Quiet);
    }

    #[cfg(test)]
    pub(super) fn set_ended(&self) {
        self.end();
    }

    /// Opens the connection again, as bytes have arrived in the last moment. The client gets no
    /// more time for a head by that.
    pub(super) fn goes_on(&self) {
        self.state.set(ConnectionState::Open);
        self.wake();
    }

    /// Notes that this many bytes of the client have been read.
    pub(super) fn heard(&self, bytes: usize) {
        if self.is_closing() {
            self.heard_at.set(Some(Instant::now()));
            self.unread_since.set(None);
        }
        if let HttpProtocol::WebSocket(websocket) = &*self.protocol.borrow() {
            websocket.arrived(bytes);
        }
    }

    /// Returns whether the response that begins now has to announce that it is the last.
    pub(super) fn says_close(&self) -> bool {
        let says_close = self.phase.announces.load(Ordering::Relaxed);
        if says_close
            && self.state.get() == ConnectionState::Open
            && matches!(*self.protocol.borrow(), HttpProtocol::Http1)
        {
            self.state.set(ConnectionState::LastResponse);
        }
        says_close
    }

    /// Returns the value of the `Keep-Alive` header, if the protocol has one (RFC 9113, section
    /// 8.2.2, forbids it in HTTP/2).
    pub(super) fn keep_alive_header(&self) -> Option<&HeaderValue> {
        let has_header = matches!(*self.protocol.borrow(), HttpProtocol::Http1);
        self.phase.keep_alive.as_ref().filter(|_| has_header)
    }

    /// Begins a request. Returns `None` if the request is refused, as its client has been told
    /// before that it would come too late. (The client can't have known that if it sent the request
    /// right behind another. But a server that has announced the close must not process it, see RFC
    /// 9112, section 9.6.) `is_reset` returns whether the request's stream is reset (HTTP/2).
    pub(super) fn begin(
        self: &Rc<Self>,
        request: &mut Request,
        is_reset: impl FnOnce(&mut Request) -> bool,
    ) -> Option<InFlight> {
        let stream = match &mut *self.protocol.borrow_mut() {
            HttpProtocol::Http2(http2) => http2.begin(|| is_reset(request)),
            HttpProtocol::Http1 | HttpProtocol::WebSocket(_) => {
                (self.state.get() != ConnectionState::LastResponse).then_some(0)
            }
        };
        let Some(stream) = stream else {
            self.table.refuse();
            return None;
        };
        self.has_begun.set(true);
        self.in_flight.set(self.in_flight.get() + 1);
        let path = request.uri().path_and_query().cloned();
        let entry = RequestEntry::new(&self.table, request.method().clone(), path);
        Some(InFlight::new(self, entry, stream))
    }

    /// Notes that bytes have been written, or that they can't be, as the client takes none.
    pub(super) fn wrote(&self, is_stuck: bool) {
        if let HttpProtocol::WebSocket(websocket) = &*self.protocol.borrow() {
            websocket.wrote(is_stuck);
        }
    }

    /// Notes that nothing can be written any more, as the client has gone.
    pub(super) fn broke(&self) {
        if let HttpProtocol::WebSocket(websocket) = &*self.protocol.borrow() {
            websocket.broke();
        }
    }

    /// Notes that everything has been written. `info` asks the kernel how much of it has been
    /// acknowledged.
    pub(super) fn flushed(&self, info: impl FnOnce() -> Option<TcpInfo>) {
        let mut deliveries = self.deliveries.borrow_mut();
        if let HttpProtocol::Http2(http2) = &mut *self.protocol.borrow_mut() {
            http2.take_written().into_iter().for_each(|response| deliveries.write(response));
        }
        if !deliveries.has_unflushed() {
            return;
        }
        // While the server serves, nobody needs to know when exactly a client has got its response.
        let info = if self.is_ending() { info() } else { None };
        deliveries.flush(info);
        drop(deliveries);
        self.rest();
    }

    /// Counts the responses that the client has got according to the kernel; all of them if `info`
    /// is `None`, where the kernel doesn't tell.
    pub(super) fn delivered(&self, info: Option<&TcpInfo>) {
        self.deliveries.borrow_mut().acknowledge(info);
    }

    /// Looks at bytes of the client that nobody reads any more. Returns whether the bytes show that
    /// the client still reads (HTTP/2).
    pub(super) fn discarded(&self, bytes: &[u8]) -> bool {
        match &mut *self.protocol.borrow_mut() {
            HttpProtocol::Http1 => {}
            HttpProtocol::Http2(http2) => return http2.discarded(bytes),
            HttpProtocol::WebSocket(websocket) => websocket.received(bytes),
        }
        false
    }

    /// Returns the act that is still expected of the client once it has acknowledged everything.
    pub(super) fn expected(&self) -> Expected {
        match &*self.protocol.borrow() {
            HttpProtocol::Http1 => Expected::Body,
            HttpProtocol::Http2(http2) if !http2.has_been_read() => Expected::Reading,
            HttpProtocol::WebSocket(websocket) if !websocket.client_has_closed() => Expected::Close,
            HttpProtocol::Http2(_) | HttpProtocol::WebSocket(_) => Expected::Nothing,
        }
    }

    /// Notes that one response fewer is owed.
    pub(super) fn rest(&self) {
        // Before that nobody asks, and earlier times are long enough ago.
        if self.is_ending() {
            self.idle_since.set(Instant::now());
        }
        self.wake_if_closing();
    }
}
