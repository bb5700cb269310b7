//! Client's messages on their way to the handler. The handler's requests for them show whether it
//! works or waits.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_http::error::PayloadError;
use actix_http::{BoxedPayloadStream, Payload, Request};
use actix_web::web::Bytes;
use futures_util::Stream;

use super::{Handler, WebSocket};
use crate::server::connection::Connection;

/// Wraps the payload of a request that asks for a WebSocket, and returns the state that the wrapper
/// updates.
pub(in crate::server) fn observe(
    request: Request,
    connection: &Rc<Connection>,
) -> (Request, Rc<WebSocket>) {
    let websocket = Rc::new(WebSocket::new());
    let (request, inner) = request.replace_payload::<BoxedPayloadStream>(Payload::None);
    let observed = ObservedPayload {
        inner,
        websocket: Rc::clone(&websocket),
        connection: Rc::clone(connection),
    };
    let observed: BoxedPayloadStream = Box::pin(observed);
    let (request, _) = request.replace_payload(Payload::Stream { payload: observed });
    (request, websocket)
}

struct ObservedPayload {
    inner: Payload,
    websocket: Rc<WebSocket>,
    connection: Rc<Connection>,
}

impl ObservedPayload {
    fn set(&self, handler: Handler) {
        if self.websocket.set_handler(handler) {
            // The connection may have waited for it.
            self.connection.wake_if_closing();
        }
    }
}

impl Stream for ObservedPayload {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let next = loop {
            match Pin::new(&mut this.inner).poll_next(context) {
                // The handler can't answer these bytes any more. The client learns that from the
                // Close.
                Poll::Ready(Some(Ok(bytes))) if this.websocket.has_closed() => {
                    this.websocket.taken(&bytes);
                    if this.websocket.client_has_closed() {
                        break Poll::Ready(None);
                    }
                }
                next => break next,
            }
        };
        match next {
            Poll::Pending => {
                let handler = match this.websocket.handler.get() {
                    Handler::Working { has_read_all: false } => {
                        Handler::Working { has_read_all: true }
                    }
                    _ => Handler::Waiting,
                };
                if handler != Handler::Waiting && this.connection.is_closing() {
                    // A handler that waits asks once more when it is woken.
                    context.waker().wake_by_ref();
                }
                *this.websocket.reader.borrow_mut() = Some(context.waker().clone());
                this.set(handler);
                Poll::Pending
            }
            Poll::Ready(Some(Ok(bytes))) => {
                this.websocket.taken(&bytes);
                this.set(Handler::Working { has_read_all: false });
                Poll::Ready(Some(Ok(bytes)))
            }
            // The connection is not broken: the server has closed it.
            Poll::Ready(Some(Err(_))) if this.websocket.has_closed() => {
                this.set(Handler::Ending);
                Poll::Ready(None)
            }
            end @ Poll::Ready(_) => {
                this.set(Handler::Ending);
                end
            }
        }
    }
}

impl Drop for ObservedPayload {
    fn drop(&mut self) {
        self.set(Handler::Gone);
    }
}
