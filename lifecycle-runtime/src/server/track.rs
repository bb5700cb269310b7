//! What stands between a connection and the app: each request is entered as in flight, and each response says that its
//! connection closes once the server drains.
//!
//! Outside of the app and so of every middleware: it sees the response that is written, whoever made it.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use actix_http::body::{BodySize, BoxBody, MessageBody};
use actix_http::{ConnectionType, Method, Request, Response, StatusCode};
use actix_service::{Service, Transform};
use actix_web::dev::ServiceResponse;
use actix_web::web::Bytes;
use actix_web::{Error, http::header};
use pin_project_lite::pin_project;

use super::connection::{Connection, InFlight};

/// Enters each request of the service that it wraps.
pub(super) struct Track;

impl<S, B> Transform<S, Request> for Track
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody + 'static,
{
    type Response = Response<Tracked>;
    type Error = Infallible;
    type Transform = TrackService<S>;
    type InitError = ();
    type Future = std::future::Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        std::future::ready(Ok(TrackService { service }))
    }
}

pub(super) struct TrackService<S> {
    service: S,
}

impl<S, B> Service<Request> for TrackService<S>
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody + 'static,
{
    type Response = Response<Tracked>;
    type Error = Infallible;
    type Future = TrackFuture<S::Future>;

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // Whatever a service that isn't ready has to say, it says to the request.
        self.service.poll_ready(context).map(|_| Ok(()))
    }

    fn call(&self, request: Request) -> Self::Future {
        let connection = request.conn_data::<Rc<Connection>>().expect("every connection has its own data");
        let Some(in_flight) = connection.begin(request.method(), request.uri()) else {
            return TrackFuture::Refused;
        };
        let without_body = request.method() == Method::HEAD;
        TrackFuture::Served { future: self.service.call(request), in_flight: Some(in_flight), without_body }
    }
}

pin_project! {
    #[project = TrackFutureProjection]
    pub(super) enum TrackFuture<F> {
        Refused,
        Served { #[pin] future: F, in_flight: Option<InFlight>, without_body: bool },
    }
}

impl<F, B> Future for TrackFuture<F>
where
    F: Future<Output = Result<ServiceResponse<B>, Error>>,
    B: MessageBody + 'static,
{
    type Output = Result<Response<Tracked>, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let (future, in_flight, without_body) = match self.project() {
            TrackFutureProjection::Refused => {
                return Poll::Ready(Ok(tracked(refusal(), None, false)));
            }
            TrackFutureProjection::Served { future, in_flight, without_body } => (future, in_flight, *without_body),
        };
        Poll::Ready(Ok(match ready!(future.poll(context)) {
            Ok(response) => tracked(response.into(), in_flight.take(), without_body),
            Err(error) => tracked(error.error_response().into(), in_flight.take(), without_body),
        }))
    }
}

/// A response that says what it must, and with it what it is the response to.
fn tracked<B: MessageBody + 'static>(
    mut response: Response<B>,
    in_flight: Option<InFlight>,
    without_body: bool,
) -> Response<Tracked> {
    if let Some(in_flight) = &in_flight {
        prepare(in_flight.connection(), &mut response);
    }
    response.map_body(|_, body| {
        let body = body.boxed();
        let is_complete = without_body || matches!(body.size(), BodySize::None | BodySize::Sized(0));
        Tracked { body, response: Owed { in_flight, is_complete } }
    })
}

/// Has a response say what its client must know of the connection's end.
fn prepare<B>(connection: &Connection, response: &mut Response<B>) {
    if response.head().status == StatusCode::SWITCHING_PROTOCOLS {
        let upgrade = response.headers().get(header::UPGRADE);
        if upgrade.is_some_and(|upgrade| upgrade.as_bytes().eq_ignore_ascii_case(b"websocket")) {
            connection.becomes_websocket();
        }
    } else if connection.says_close() {
        // A header by hand would be dropped: actix-http writes its own.
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
}

/// The answer to a request that came after the connection's end had been announced.
fn refusal() -> Response<BoxBody> {
    let mut refusal = Response::with_body(StatusCode::SERVICE_UNAVAILABLE, BoxBody::new("the server is stopping"));
    refusal.head_mut().set_connection_type(ConnectionType::Close);
    refusal
}

/// A body that keeps its request in flight until it has ended.
pub(super) struct Tracked {
    body: BoxBody,
    response: Owed,
}

/// A response that is not complete.
struct Owed {
    in_flight: Option<InFlight>,
    /// Whether nothing is missing but what the connection has not yet written.
    is_complete: bool,
}

impl Drop for Owed {
    fn drop(&mut self) {
        if self.is_complete
            && let Some(in_flight) = self.in_flight.take()
        {
            in_flight.complete();
        }
    }
}

impl MessageBody for Tracked {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let next = Pin::new(&mut self.body).poll_next(context);
        if let Poll::Ready(None) = next {
            self.response.is_complete = true;
        }
        next
    }
}
