//! Body of a request over HTTP/1, read by the app and watched by the tracker. The part of it that
//! has come decides whether actix-http keeps the connection.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use actix_http::error::PayloadError;
use actix_http::{HttpMessage, Payload, Request};
use actix_web::web::Bytes;
use futures_util::Stream;

#[cfg(test)]
mod tests;

/// Handle through which the tracker watches a body that the app reads.
pub(super) struct RequestBody {
    incoming: Rc<RefCell<Incoming>>,
    is_chunked: bool,
}

/// Incoming body, shared by its reader and the tracker.
struct Incoming {
    payload: Payload,
    /// Parts that have come and for which the app has not asked yet.
    ahead: VecDeque<Result<Bytes, PayloadError>>,
    /// Task of the app that waits for more.
    reader: Option<Waker>,
}

/// Body as the app reads it.
struct BodyReader(Rc<RefCell<Incoming>>);

impl RequestBody {
    /// Takes over a request's body, and gives the request another one to read in its place.
    pub(super) fn watch(request: &mut Request) -> Self {
        let is_chunked = request.chunked().unwrap_or(false);
        let payload = std::mem::replace(request.payload(), Payload::None);
        let incoming = Incoming { payload, ahead: VecDeque::new(), reader: None };
        let incoming = Rc::new(RefCell::new(incoming));
        let reader = Box::pin(BodyReader(Rc::clone(&incoming)));
        *request.payload() = Payload::Stream { payload: reader };
        Self { incoming, is_chunked }
    }

    /// Discards the parts that come once the app has dropped the body, as actix-http would.
    pub(super) fn discard(&self, context: &mut Context<'_>) {
        if self.is_dropped() {
            let mut incoming = self.incoming.borrow_mut();
            incoming.poll_ahead(context);
            incoming.ahead.clear();
        }
    }

    /// Returns whether actix-http keeps the connection behind a response that begins now. It does
    /// if the body has come to its end. It also does if the body comes in chunks and the app has
    /// dropped it, as chunks are read to their end.
    pub(super) fn leaves_open(self) -> bool {
        if self.is_chunked && self.is_dropped() {
            return true;
        }
        let mut incoming = self.incoming.borrow_mut();
        // A task that waits for more of the body must be woken as before.
        let reader = incoming.reader.clone();
        incoming.poll_ahead(&mut Context::from_waker(reader.as_ref().unwrap_or(Waker::noop())))
    }

    fn is_dropped(&self) -> bool {
        Rc::strong_count(&self.incoming) == 1
    }
}

impl Incoming {
    /// Reads the parts that have come, ahead of the app. Returns whether the body is complete.
    fn poll_ahead(&mut self, context: &mut Context<'_>) -> bool {
        if matches!(self.ahead.back(), Some(Err(_))) {
            return false;
        }
        while let Poll::Ready(next) = Pin::new(&mut self.payload).poll_next(context) {
            let Some(next) = next else { return true };
            let has_failed = next.is_err();
            self.ahead.push_back(next);
            if has_failed {
                break;
            }
        }
        false
    }
}

impl Stream for BodyReader {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut incoming = self.0.borrow_mut();
        if let Some(next) = incoming.ahead.pop_front() {
            return Poll::Ready(Some(next));
        }
        let next = Pin::new(&mut incoming.payload).poll_next(context);
        incoming.reader = next.is_pending().then(|| context.waker().clone());
        next
    }
}
