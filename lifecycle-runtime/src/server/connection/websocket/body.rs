//! Handler's messages on their way to the client, with the server's Close behind the last one that
//! is sent.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_http::body::{BodySize, BoxBody, MessageBody};
use actix_web::web::Bytes;
use tokio::time::Instant;

use super::WebSocket;
use crate::server::connection::Connection;
use crate::server::panics::noted;

/// Body of the response that accepts an upgrade.
pub(in crate::server) struct WebSocketBody {
    /// Body of the handler; `None` once nothing of the handler's may be sent. Further writes of the
    /// handler fail, as nobody takes them.
    pub(in crate::server) body: Option<BoxBody>,
    pub(in crate::server) websocket: Rc<WebSocket>,
    pub(in crate::server) connection: Rc<Connection>,
}

type Next = Option<Result<Bytes, <BoxBody as MessageBody>::Error>>;

impl WebSocketBody {
    pub(in crate::server) fn size(&self) -> BodySize {
        self.body.as_ref().map_or(BodySize::Stream, MessageBody::size)
    }

    pub(in crate::server) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Next> {
        let websocket = &self.websocket;
        let Some(body) = self.body.as_mut().filter(|_| !self.connection.is_over()) else {
            websocket.end_sending(websocket.has_closed());
            return Poll::Ready(None);
        };
        let now = Instant::now();
        // A handler that works sends all that it has to say.
        let mut close = if websocket.has_work() || websocket.is_answering(now) {
            None
        } else {
            websocket.close(now, false)
        };
        if close.is_none() {
            // The upgrade is answered, so that the panic of a handler that is this body goes on.
            let note = |message| websocket.panicked(message);
            let next = noted(|| Pin::new(body).poll_next(context), note);
            match next {
                Poll::Pending => {
                    if websocket.pauses(now) {
                        // If the handler reads no more, its time is limited from now on.
                        self.connection.wake_if_closing();
                    }
                    close = websocket.close(now, true);
                }
                Poll::Ready(Some(Ok(bytes))) => {
                    websocket.sent(&bytes);
                    return Poll::Ready(Some(Ok(bytes)));
                }
                Poll::Ready(next) => {
                    websocket.end_sending(next.is_none());
                    self.connection.wake_if_closing();
                    return Poll::Ready(next);
                }
            }
        }
        let Some(close) = close else { return Poll::Pending };
        // Further writes of the handler fail, as nobody takes them.
        self.body = None;
        websocket.end_sending(true);
        self.connection.wake();
        Poll::Ready(Some(Ok(close)))
    }
}

impl Drop for WebSocketBody {
    fn drop(&mut self) {
        self.websocket.end_sending(false);
    }
}
