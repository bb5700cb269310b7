//! Tests of the messages that the handler gets from the client, around the Close of the server.

use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use actix_http::error::PayloadError;
use actix_http::{Payload, Request};
use actix_web::web::Bytes;
use futures_util::{Stream, stream};

use super::super::observe;
use super::*;
use crate::server::connection::{Connection, WorkerPhase};

/// Bytes that come from the client, or the end of its half.
type Incoming = Rc<RefCell<VecDeque<Result<Bytes, PayloadError>>>>;

struct Fixture {
    incoming: Incoming,
    websocket: Rc<WebSocket>,
    payload: Payload,
}

impl Fixture {
    fn new() -> Self {
        let incoming = Incoming::default();
        let arrives = Rc::clone(&incoming);
        let arrives = stream::poll_fn(move |_| match arrives.borrow_mut().pop_front() {
            Some(next) => Poll::Ready(Some(next)),
            None => Poll::Pending,
        });
        let phase = Rc::new(WorkerPhase::new(Arc::default(), None));
        let connection = Rc::new(Connection::new(Arc::default(), phase));
        let mut request = Request::new();
        *request.payload() = Payload::Stream { payload: Box::pin(arrives) };
        let (mut request, websocket) = observe(request, &connection);
        let payload = std::mem::replace(request.payload(), Payload::None);
        Self { incoming, websocket, payload }
    }

    /// Makes bytes come, read by actix-http.
    fn comes(&self, bytes: &[u8]) {
        self.websocket.arrived(bytes.len());
        self.incoming.borrow_mut().push_back(Ok(Bytes::copy_from_slice(bytes)));
    }

    /// Makes the handler ask for more.
    fn read(&mut self) -> Poll<Option<Vec<u8>>> {
        let next = Pin::new(&mut self.payload).poll_next(&mut Context::from_waker(Waker::noop()));
        next.map(|next| next.map(|next| next.expect("no error").to_vec()))
    }

    fn ask_to_close(&self, has_unread: bool) {
        self.websocket.ask_to_close(Instant::now(), PATIENCE, has_unread);
    }

    fn has_close(&self) -> bool {
        self.websocket.close(Instant::now(), true).is_some()
    }
}

#[test]
fn what_has_come_by_the_close_reaches_the_handler_first() {
    let hello = masked(TEXT, b"hello");
    for is_read in [true, false] {
        let mut ours = Fixture::new();
        assert!(ours.read().is_pending());
        if is_read {
            ours.comes(&hello);
        }
        ours.ask_to_close(!is_read);
        if !is_read {
            assert!(!ours.has_close(), "it waits in the socket");
            ours.comes(&hello);
        }
        assert!(!ours.has_close(), "the handler has not got it");
        assert_eq!(ours.read(), Poll::Ready(Some(hello.clone())));
        assert!(!ours.has_close(), "the handler works on it");
        // The code that parses messages reads on before it gives the first one to the handler.
        assert!(ours.read().is_pending());
        assert!(!ours.has_close(), "the handler works on it");
        assert!(ours.read().is_pending());
        ours.websocket.sent(&frame(TEXT, b"hello"));
        ours.websocket.pauses(Instant::now());
        assert!(ours.has_close());
    }
}

#[test]
fn a_message_that_crosses_the_close_does_not_reach_the_handler() {
    let mut ours = Fixture::new();
    assert!(ours.read().is_pending());
    ours.ask_to_close(false);
    assert!(ours.has_close());
    ours.comes(&masked(TEXT, b"hello"));
    assert!(ours.read().is_pending());
    assert!(!ours.websocket.client_has_closed());
    // The answer to the Close is the end, whatever stands before it.
    ours.comes(&[masked(TEXT, b"again"), masked(CLOSE, &[3, 233])].concat());
    assert_eq!(ours.read(), Poll::Ready(None));
    assert!(ours.websocket.client_has_closed());
}

#[test]
fn a_client_that_goes_instead_of_answering_the_close_is_no_error_for_the_handler() {
    for has_close in [true, false] {
        let mut ours = Fixture::new();
        assert!(ours.read().is_pending());
        if has_close {
            ours.ask_to_close(false);
            assert!(ours.has_close());
        }
        ours.incoming.borrow_mut().push_back(Err(PayloadError::Incomplete(None)));
        let next = Pin::new(&mut ours.payload).poll_next(&mut Context::from_waker(Waker::noop()));
        assert_eq!(matches!(next, Poll::Ready(None)), has_close, "{next:?}");
    }
}
