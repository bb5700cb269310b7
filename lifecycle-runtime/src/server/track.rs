//! Layer between a connection and the app. It enters each request as in flight, and makes each
//! response say that its connection closes once the server drains.
//!
//! The layer is outside of the app and so of every middleware: it sees the response that is
//! written, whoever made it.

mod request_body;

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use actix_http::body::{BodySize, BoxBody, MessageBody};
use actix_http::header::{HeaderMap, HeaderName};
use actix_http::{ConnectionType, HttpMessage, Method, Payload, Request, Response, StatusCode};
use actix_service::{Service, Transform};
use actix_web::dev::ServiceResponse;
use actix_web::web::Bytes;
use actix_web::{Error, http::header};
use futures_util::{Stream, StreamExt, stream};
use pin_project_lite::pin_project;

use super::connection::websocket::{self, WebSocket, WebSocketBody};
use super::connection::{Connection, InFlight};
use super::panics::{caught, noted};
use crate::hook::error::chain;
use request_body::RequestBody;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");

/// Transform that enters each request of the wrapped service as in flight.
pub(super) struct RequestTracker {
    /// Set if a request whose handler panics gets a response.
    pub(super) catches_panics: bool,
}

impl<S, B> Transform<S, Request> for RequestTracker
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody + 'static,
{
    type Response = Response<TrackedBody>;
    type Error = Infallible;
    type Transform = RequestTrackerService<S>;
    type InitError = ();
    type Future = std::future::Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        std::future::ready(Ok(RequestTrackerService {
            service,
            catches_panics: self.catches_panics,
        }))
    }
}

pub(super) struct RequestTrackerService<S> {
    service: S,
    catches_panics: bool,
}

impl<S, B> Service<Request> for RequestTrackerService<S>
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody + 'static,
{
    type Response = Response<TrackedBody>;
    type Error = Infallible;
    type Future = TrackedFuture<S::Future>;

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // A service that isn't ready reports its error to the request.
        self.service.poll_ready(context).map(|_| Ok(()))
    }

    fn call(&self, mut request: Request) -> Self::Future {
        let connection =
            request.conn_data::<Rc<Connection>>().expect("every connection has its own data");
        let connection = Rc::clone(connection);
        let Some(in_flight) = connection.begin_request(&mut request, is_reset) else {
            return TrackedFuture::Refused;
        };
        let has_body = !matches!(request.payload(), Payload::None);
        let without_body = request.method() == Method::HEAD;
        let keeps_alive = request.head().connection_type() == ConnectionType::KeepAlive
            && connection.keep_alive_header().is_some();
        // actix-http closes the connection behind an answer that has not waited for the body.
        let body = (has_body && keeps_alive).then(|| RequestBody::watch(&mut request));
        // actix-http takes everything behind the request for its body.
        let (request, websocket) = if has_body && asks_for_websocket(request.headers()) {
            let (request, websocket) = websocket::observe(request, &connection);
            (request, Some(websocket))
        } else {
            (request, None)
        };
        let catches_panics = self.catches_panics;
        let called = {
            let _poll = in_flight.poll();
            let note = |message| in_flight.panicked(message);
            caught(catches_panics, || self.service.call(request), note)
        };
        let in_flight = Some(in_flight);
        let response = Pending { in_flight, without_body, keeps_alive, body, websocket };
        match called {
            Some(future) => TrackedFuture::Served { future, response, catches_panics },
            None => TrackedFuture::Panicked { response },
        }
    }
}

/// Returns whether the stream of a request is reset (HTTP/2). Puts back the parts of the body that
/// it has read.
fn is_reset(request: &mut Request) -> bool {
    let payload = request.payload();
    let mut context = Context::from_waker(Waker::noop());
    let mut read = Vec::new();
    while let Poll::Ready(Some(next)) = Pin::new(&mut *payload).poll_next(&mut context) {
        let is_over = next.is_err();
        read.push(next);
        if is_over {
            break;
        }
    }
    let is_reset = matches!(read.last(), Some(Err(_)));
    if !read.is_empty() {
        let unread = std::mem::replace(payload, Payload::None);
        *payload = Payload::Stream { payload: Box::pin(stream::iter(read).chain(unread)) };
    }
    is_reset
}

fn asks_for_websocket(headers: &HeaderMap) -> bool {
    let upgrade = headers.get(header::UPGRADE);
    upgrade.is_some_and(|upgrade| upgrade.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Request that waits for its response to begin.
struct Pending {
    in_flight: Option<InFlight>,
    without_body: bool,
    /// Set if the client wants to send further requests.
    keeps_alive: bool,
    /// Body of the request, if the connection may be kept.
    body: Option<RequestBody>,
    /// State of the WebSocket that the request asks for.
    websocket: Option<Rc<WebSocket>>,
}

pin_project! {
    #[project = TrackedFutureProjection]
    pub(super) enum TrackedFuture<F> {
        Refused,
        Panicked { response: Pending },
        Served { #[pin] future: F, response: Pending, catches_panics: bool },
    }
}

impl<F, B> Future for TrackedFuture<F>
where
    F: Future<Output = Result<ServiceResponse<B>, Error>>,
    B: MessageBody + 'static,
{
    type Output = Result<Response<TrackedBody>, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let (future, pending, catches_panics) = match self.project() {
            TrackedFutureProjection::Refused => return Poll::Ready(Ok(refusal())),
            TrackedFutureProjection::Panicked { response } => {
                return Poll::Ready(Ok(response.panicked()));
            }
            TrackedFutureProjection::Served { future, response, catches_panics } => {
                (future, response, *catches_panics)
            }
        };
        let poll = pending.in_flight.as_ref().and_then(InFlight::poll);
        let note = |message| pending.note_panic(message);
        let polled = caught(catches_panics, || future.poll(context), note);
        drop(poll);
        let Some(polled) = polled else {
            return Poll::Ready(Ok(pending.panicked()));
        };
        if polled.is_pending()
            && let Some(body) = &pending.body
        {
            body.discard(context);
        }
        Poll::Ready(Ok(match ready!(polled) {
            Ok(response) => pending.begin(response.into()),
            Err(error) => pending.begin(error.error_response().into()),
        }))
    }
}

impl Pending {
    /// Returns the response as it is sent, with the headers by which its client learns of the
    /// connection's end.
    fn begin<B: MessageBody + 'static>(
        &mut self,
        mut response: Response<B>,
    ) -> Response<TrackedBody> {
        let websocket = self.websocket.take().filter(|_| accepts_websocket(&response));
        // actix-http looks at once whether anybody still reads the body.
        let is_kept = self.keeps_alive && self.body.take().is_none_or(RequestBody::leaves_open);
        if let Some(in_flight) = &self.in_flight {
            let connection = in_flight.connection();
            if let Some(websocket) = &websocket {
                connection.becomes_websocket(websocket);
            } else if response.head().status != StatusCode::SWITCHING_PROTOCOLS {
                announce_end(connection, is_kept, &mut response);
            }
        }
        let in_flight = self.in_flight.take();
        // The body of such a response is not sent (RFC 9110, section 6.4.1).
        let status = response.head().status;
        let is_bodiless = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let without_body = self.without_body || is_bodiless;
        response.map_body(|_, body| match (websocket, in_flight) {
            (Some(websocket), Some(in_flight)) => {
                let connection = Rc::clone(in_flight.connection());
                websocket.accept(in_flight);
                TrackedBody::WebSocket(WebSocketBody {
                    body: Some(body.boxed()),
                    websocket,
                    connection,
                })
            }
            (_, in_flight) => {
                let body = body.boxed();
                let is_complete =
                    without_body || matches!(body.size(), BodySize::None | BodySize::Sized(0));
                let missing = match body.size() {
                    BodySize::Sized(size) if !is_complete => size,
                    _ => 0,
                };
                TrackedBody::Plain {
                    body,
                    progress: BodyProgress { in_flight, is_complete, missing },
                }
            }
        })
    }
}

impl Pending {
    /// Notes that the handler has panicked with this message.
    fn note_panic(&self, message: String) {
        if let Some(in_flight) = &self.in_flight {
            in_flight.panicked(message);
        }
    }

    /// Returns the response for a handler that has panicked. The connection is closed behind it:
    /// the panic may have left the connection's data half changed.
    fn panicked(&mut self) -> Response<TrackedBody> {
        let body = BoxBody::new("internal server error");
        let mut response = Response::with_body(StatusCode::INTERNAL_SERVER_ERROR, body);
        response.head_mut().set_connection_type(ConnectionType::Close);
        self.begin(response)
    }
}

/// Makes a response say how long its connection is kept, or that it is the last.
fn announce_end<B>(connection: &Connection, is_kept: bool, response: &mut Response<B>) {
    if connection.begin_response() {
        // A header by hand would be dropped: actix-http writes its own.
        response.head_mut().set_connection_type(ConnectionType::Close);
    } else if is_kept
        && let Some(keep_alive) = connection.keep_alive_header()
        && response.head().connection_type() == ConnectionType::KeepAlive
    {
        // Without `Connection: keep-alive`, which HTTP/1.1 implies and actix-http doesn't
        // write: clients heed it all the same.
        let headers = response.headers_mut();
        let of_the_app = headers.insert(KEEP_ALIVE, keep_alive.clone());
        if !of_the_app.is_empty() {
            headers.remove(KEEP_ALIVE);
            of_the_app.for_each(|value| headers.append(KEEP_ALIVE, value));
        }
    }
}

fn accepts_websocket<B>(response: &Response<B>) -> bool {
    response.head().status == StatusCode::SWITCHING_PROTOCOLS
        && asks_for_websocket(response.headers())
}

/// Returns the response to a request that came after the connection's end had been announced.
fn refusal() -> Response<TrackedBody> {
    let body = BoxBody::new("the server is stopping");
    let mut refusal = Response::with_body(StatusCode::SERVICE_UNAVAILABLE, body);
    refusal.head_mut().set_connection_type(ConnectionType::Close);
    refusal.map_body(|_, body| TrackedBody::Plain {
        body,
        progress: BodyProgress { in_flight: None, is_complete: false, missing: 0 },
    })
}

/// Body that keeps its request in flight until it has ended.
pub(super) enum TrackedBody {
    Plain { body: BoxBody, progress: BodyProgress },
    WebSocket(WebSocketBody),
}

type BodyError = <BoxBody as MessageBody>::Error;

/// Progress of a response's body, with the request that the response completes.
pub(super) struct BodyProgress {
    in_flight: Option<InFlight>,
    /// Set once the app has given the whole response, even if the connection has not written it
    /// yet.
    is_complete: bool,
    /// Count of the bytes that the body has yet to give, if its size is known.
    missing: u64,
}

impl BodyProgress {
    /// Notes the bytes, the end or the error that polling the body has returned.
    fn advance(&mut self, next: &Poll<Option<Result<Bytes, BodyError>>>) {
        let error = match next {
            Poll::Pending => return,
            Poll::Ready(Some(Ok(bytes))) => {
                self.missing = self.missing.saturating_sub(bytes.len() as u64);
                return;
            }
            Poll::Ready(None) if self.missing == 0 => {
                self.is_complete = true;
                return;
            }
            Poll::Ready(None) => {
                format!("the body has ended {} bytes short of its size", self.missing)
            }
            Poll::Ready(Some(Err(error))) => chain(&**error),
        };
        if let Some(in_flight) = self.in_flight.take() {
            in_flight.fail(error);
        }
    }
}

impl BodyProgress {
    /// Notes that the body has panicked with this message.
    fn note_panic(&self, message: String) {
        if let Some(in_flight) = &self.in_flight {
            in_flight.panicked(message);
        }
    }
}

impl Drop for BodyProgress {
    fn drop(&mut self) {
        if self.is_complete
            && let Some(in_flight) = self.in_flight.take()
        {
            in_flight.complete();
        }
    }
}

impl MessageBody for TrackedBody {
    type Error = BodyError;

    fn size(&self) -> BodySize {
        match self {
            Self::Plain { body, .. } => body.size(),
            Self::WebSocket(websocket) => websocket.size(),
        }
    }

    fn poll_next(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        match self.get_mut() {
            Self::Plain { body, progress } => {
                let poll = progress.in_flight.as_ref().and_then(InFlight::poll);
                let note = |message| progress.note_panic(message);
                // The head is out, so that no other response is possible: the panic goes on.
                let next = noted(|| Pin::new(body).poll_next(context), note);
                drop(poll);
                progress.advance(&next);
                next
            }
            Self::WebSocket(websocket) => websocket.poll_next(context),
        }
    }
}
