//! The requests in flight: counted and named from the head's arrival to the end of the response's body.
//!
//! Each instance of the app has a table of its own, so that the path of a request takes no lock that another thread
//! holds for longer than it takes to read the table for a report.

use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready as poll_ready};
use std::time::Instant;

use actix_web::Error;
use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::http::{ConnectionType, Method, Uri};
use actix_web::web::Bytes;
use pin_project_lite::pin_project;
use slab::Slab;

use crate::event::{Requests, readable};

/// All requests of a server's apps.
#[derive(Clone, Default)]
pub(crate) struct InFlight {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    tables: Mutex<Vec<Arc<Table>>>,
    /// Whether responses announce that the connection closes.
    closing: AtomicBool,
}

/// The requests of one instance of an app.
#[derive(Default)]
struct Table(Mutex<Rows>);

#[derive(Default)]
struct Rows {
    open: Slab<Row>,
    finished: u64,
}

struct Row {
    method: Method,
    uri: Uri,
    since: Instant,
}

impl InFlight {
    /// From now on every response closes its connection.
    pub(super) fn announce_close(&self) {
        self.shared.closing.store(true, Ordering::Relaxed);
    }

    /// What has become of the requests so far; those in flight are listed as if they were cut off now.
    pub(crate) fn requests(&self) -> Requests {
        let mut requests = Requests::default();
        for table in lock(&self.shared.tables).iter() {
            let rows = lock(&table.0);
            requests.finished += rows.finished;
            requests.cut.extend(
                rows.open
                    .iter()
                    .map(|(_, row)| format!("{} {} {}", row.method, row.uri.path(), readable(row.since.elapsed()))),
            );
        }
        requests
    }

    /// The middleware for one instance of an app.
    pub(super) fn middleware(&self) -> Track {
        let table = Arc::new(Table::default());
        lock(&self.shared.tables).push(Arc::clone(&table));
        Track { in_flight: self.clone(), table }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A request's place in its table, given back when the response's body has ended.
struct Place {
    table: Arc<Table>,
    key: usize,
}

impl Place {
    fn new(table: &Arc<Table>, request: &ServiceRequest) -> Self {
        let row = Row { method: request.method().clone(), uri: request.uri().clone(), since: Instant::now() };
        let key = lock(&table.0).open.insert(row);
        Self { table: Arc::clone(table), key }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut rows = lock(&self.table.0);
        rows.open.remove(self.key);
        rows.finished += 1;
    }
}

/// Middleware that keeps the table and, while the server drains, announces the close.
pub(crate) struct Track {
    in_flight: InFlight,
    table: Arc<Table>,
}

impl<S, B> Transform<S, ServiceRequest> for Track
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody,
{
    type Response = ServiceResponse<Tracked<B>>;
    type Error = Error;
    type Transform = TrackService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        let (in_flight, table) = (self.in_flight.clone(), Arc::clone(&self.table));
        ready(Ok(TrackService { service: Rc::new(service), in_flight, table }))
    }
}

pub(crate) struct TrackService<S> {
    service: Rc<S>,
    in_flight: InFlight,
    table: Arc<Table>,
}

impl<S, B> Service<ServiceRequest> for TrackService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    type Response = ServiceResponse<Tracked<B>>;
    type Error = Error;
    type Future = TrackFuture<S::Future>;

    forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let place = Place::new(&self.table, &request);
        TrackFuture {
            future: self.service.call(request),
            place: Some(place),
            shared: Arc::clone(&self.in_flight.shared),
        }
    }
}

pin_project! {
    pub(crate) struct TrackFuture<F> {
        #[pin]
        future: F,
        place: Option<Place>,
        shared: Arc<Shared>,
    }
}

impl<F, B> Future for TrackFuture<F>
where
    F: Future<Output = Result<ServiceResponse<B>, Error>>,
    B: MessageBody,
{
    type Output = Result<ServiceResponse<Tracked<B>>, Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = poll_ready!(this.future.poll(context))?;
        if this.shared.closing.load(Ordering::Relaxed) {
            // A header by hand would be dropped: actix-http writes its own.
            response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
        }
        let place = this.place.take();
        Poll::Ready(Ok(response.map_body(|_, body| Tracked { body, place })))
    }
}

pin_project! {
    /// A body that holds its request's place until it has ended.
    pub(crate) struct Tracked<B> {
        #[pin]
        body: B,
        place: Option<Place>,
    }
}

impl<B: MessageBody> MessageBody for Tracked<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, B::Error>>> {
        self.project().body.poll_next(context)
    }
}
