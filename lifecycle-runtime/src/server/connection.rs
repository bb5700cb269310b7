//! State of one connection: the responses that it owes, the announcement of its end, and the end
//! itself.
//!
//! Everything here runs on the connection's worker thread, most of it in the task that drives the
//! connection.

mod closing;
mod delivery;
mod in_flight;
mod protocol;
mod responses;
#[cfg(test)]
mod tests;
pub(super) mod websocket;

use std::cell::{Cell, RefCell, RefMut};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use actix_http::Request;
use actix_web::http::header::HeaderValue;
use serde::Serialize;
use tokio::time::Instant;

use closing::ClientSilence;
pub(super) use closing::{Closer, ClosingTimes, ExpectedAct};
pub(super) use in_flight::InFlight;
use protocol::{Http1, HttpProtocol};
use responses::Responses;

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
    /// Count of the requests whose response the app has not completed, even if their connection has
    /// ended.
    in_flight: Cell<usize>,
}

impl WorkerPhase {
    pub(super) fn new(announces: Arc<AtomicBool>, keep_alive: Option<HeaderValue>) -> Self {
        Self { announces, keep_alive, closing: Cell::new(None), in_flight: Cell::new(0) }
    }

    /// Returns whether the app has yet to complete a response, even if its connection has ended: a
    /// handler of HTTP/2 goes on when its client has left.
    pub(super) fn has_in_flight(&self) -> bool {
        self.in_flight.get() > 0
    }

    /// Makes connections close from now on.
    pub(super) fn close(&self, times: ClosingTimes) {
        self.closing.set(Some(times));
    }
}

/// Progress of a connection towards its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ConnectionState {
    /// The client may send requests.
    Open,
    /// The connection has been quiet for long enough, and ends unless something arrives right now.
    Quiet,
    /// The connection reads as if the client had closed its half: actix-http writes what it owes,
    /// and closes.
    Ended,
    /// The client no longer takes anything, and there is nothing to wait for.
    GivenUp,
}

/// Protocol and progress of a connection, by which connections are counted for operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct ConnectionKind {
    pub(super) protocol: &'static str,
    pub(super) state: &'static str,
}

/// State of a connection, shared by its transport, its requests and its worker.
pub(super) struct Connection {
    table: Arc<RequestTable>,
    phase: Rc<WorkerPhase>,
    /// Task that drives the connection.
    task: RefCell<Option<Waker>>,
    protocol: RefCell<HttpProtocol>,
    state: Cell<ConnectionState>,
    /// Time since which the client can use the connection.
    opened_at: Cell<Instant>,
    responses: Responses,
    silence: ClientSilence,
}

impl Connection {
    pub(super) fn new(table: Arc<RequestTable>, phase: Rc<WorkerPhase>) -> Self {
        Self {
            table,
            phase,
            task: RefCell::default(),
            protocol: RefCell::new(HttpProtocol::Http1(Http1::default())),
            state: Cell::new(ConnectionState::Open),
            opened_at: Cell::new(Instant::now()),
            responses: Responses::new(),
            silence: ClientSilence::default(),
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
        self.opened_at.set(Instant::now());
        self.responses.set_idle();
    }

    /// Notes that a last response has been written by other code than actix-http, whether the
    /// server stops or not.
    pub(super) fn answered(&self) {
        self.responses.set_idle();
    }

    /// Returns the time since which no response has been owed. The time may be wrong if it is
    /// before the server began to stop, as such times are all long enough ago.
    pub(super) fn idle_since(&self) -> Instant {
        self.responses.idle_since()
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
            HttpProtocol::Http1(_) | HttpProtocol::WebSocket(_) => None,
        })
        .ok()
    }

    /// Returns the state of the WebSocket, if the connection is one.
    pub(super) fn websocket(&self) -> Option<Rc<WebSocket>> {
        match &*self.protocol.borrow() {
            HttpProtocol::WebSocket(websocket) => Some(Rc::clone(websocket)),
            HttpProtocol::Http1(_) | HttpProtocol::Http2(_) => None,
        }
    }

    /// Announces the connection's end, if the protocol has a way that needs no response and does no
    /// harm to requests that are on their way.
    pub(super) fn announce(&self) {
        let has_new = self.protocol.borrow_mut().closing().announce_end();
        if has_new {
            self.wake();
        }
    }

    /// Returns the protocol and the progress of the connection. `is_ready` is set once its socket
    /// is ready for HTTP.
    pub(super) fn kind(&self, is_ready: bool) -> ConnectionKind {
        let state = match self.state.get() {
            ConnectionState::Open if !is_ready => "handshake",
            ConnectionState::Open if self.is_in_use() => "in_flight",
            ConnectionState::Open => "idle",
            ConnectionState::Quiet => "quiet",
            ConnectionState::Ended => "ended",
            ConnectionState::GivenUp => "given_up",
        };
        ConnectionKind { protocol: self.protocol.borrow().name(), state }
    }

    /// Returns whether the client waits for a response, or has a WebSocket.
    fn is_in_use(&self) -> bool {
        self.responses.are_owed() || matches!(*self.protocol.borrow(), HttpProtocol::WebSocket(_))
    }

    /// Gives the connection up, as its client takes nothing.
    pub(super) fn give_up(&self) {
        self.state.set(ConnectionState::GivenUp);
        self.wake();
    }

    /// Returns whether a request has begun: the whole of its head has come.
    pub(super) fn has_begun(&self) -> bool {
        self.responses.have_begun()
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
    pub(super) fn reopen(&self) {
        self.state.set(ConnectionState::Open);
        self.wake();
    }

    /// Notes that this many bytes of the client have been read.
    pub(super) fn received(&self, bytes: usize) {
        if self.is_closing() {
            self.silence.end();
        }
        self.protocol.borrow().received(bytes);
    }

    /// Notes that a response begins. Returns whether it has to announce that it is the last.
    pub(super) fn begin_response(&self) -> bool {
        let announces = self.phase.announces.load(Ordering::Relaxed);
        if announces && self.state.get() == ConnectionState::Open {
            self.protocol.borrow_mut().announce_end_with_response();
        }
        announces
    }

    /// Returns the value of the `Keep-Alive` header, if the protocol has one.
    pub(super) fn keep_alive_header(&self) -> Option<&HeaderValue> {
        let has_header = self.protocol.borrow().has_keep_alive_header();
        self.phase.keep_alive.as_ref().filter(|_| has_header)
    }

    /// Begins a request. Returns `None` if the request is refused, as its client has been told
    /// before that it would come too late. (The client can't have known that if it sent the request
    /// right behind another. But a server that has announced the close must not process it, see RFC
    /// 9112, section 9.6.) `is_reset` returns whether the request's stream is reset (HTTP/2).
    pub(super) fn begin_request(
        self: &Rc<Self>,
        request: &mut Request,
        is_reset: impl FnOnce(&mut Request) -> bool,
    ) -> Option<InFlight> {
        let stream = self.protocol.borrow_mut().begin_request(|| is_reset(request));
        let Some(stream) = stream else {
            self.table.refuse();
            return None;
        };
        self.responses.begin();
        self.phase.in_flight.update(|count| count + 1);
        let path = request.uri().path_and_query().cloned();
        let entry = RequestEntry::new(&self.table, request.method().clone(), path);
        Some(InFlight::new(self, entry, stream))
    }

    /// Notes that this many bytes have been written, or that none can be, as the client takes none.
    pub(super) fn wrote(&self, written: Poll<usize>) {
        if let HttpProtocol::WebSocket(websocket) = &*self.protocol.borrow()
            && websocket.wrote(written)
        {
            // The time for which a client may take nothing begins now.
            self.wake_if_closing();
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
        if let HttpProtocol::Http2(http2) = &mut *self.protocol.borrow_mut() {
            http2.take_written().into_iter().for_each(|response| self.responses.write(response));
        }
        if !self.responses.has_unflushed() {
            return;
        }
        // Before the close, nobody needs to know when exactly a client has got its response, and
        // nobody would ask the kernel again.
        let info = if self.is_closing() { info() } else { None };
        self.responses.flush(info);
        self.mark_idle();
    }

    /// Counts the responses that the client has got according to the kernel; all of them if `info`
    /// is `None`, where the kernel doesn't tell.
    pub(super) fn delivered(&self, info: Option<&TcpInfo>) {
        self.responses.acknowledge(info);
    }

    /// Looks at bytes of the client that nobody reads any more. Returns whether the bytes show that
    /// the client still reads (HTTP/2).
    pub(super) fn discarded(&self, bytes: &[u8]) -> bool {
        self.protocol.borrow_mut().closing().discard(bytes)
    }

    /// Returns the act that is still expected of the client once it has acknowledged everything.
    pub(super) fn expected_act(&self) -> ExpectedAct {
        self.protocol.borrow_mut().closing().expected_act()
    }

    /// Has the time without a response begin now, and wakes the task if connections are being
    /// closed. As long as another response is owed, nobody asks for that time.
    pub(super) fn mark_idle(&self) {
        // Before the stop nobody asks either, and earlier times are long enough ago.
        if self.is_ending() {
            self.responses.set_idle();
        }
        self.wake_if_closing();
    }
}
