//! Apps that answer in memory, for tests.

use std::pin::Pin;

use actix_http::Request;
use actix_service::Service;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::ServiceResponse;
use actix_web::test::{TestRequest, init_service};

use super::AppContext;
use super::factory::{AppFactory, BuildApp};

type AppFuture<T> = Pin<Box<dyn Future<Output = T>>>;

/// Function that builds an app. It panics if the app can't be built.
pub(crate) type BuildInMemory = Box<dyn Fn(&AppContext) -> AppFuture<InMemory> + Send>;

/// Built app, called without a server.
pub(crate) struct InMemory(Box<dyn Fn(Request) -> AppFuture<ServiceResponse>>);

/// Returns a builder of the app that `factory` makes.
pub(super) fn memory<F, Args, T, B>(factory: F) -> BuildInMemory
where
    F: BuildApp<Args, Endpoint = T>,
    T: AppFactory<B> + 'static,
    B: MessageBody + 'static,
{
    Box::new(move |app_context| {
        let app = app_context
            .app(&factory)
            .unwrap_or_else(|error| panic!("can't build the app: {error}"));
        Box::pin(async move {
            let app = init_service(app).await;
            InMemory(Box::new(move |request| {
                let answered = app.call(request);
                Box::pin(async move {
                    answered.await.map_or_else(failed, ServiceResponse::map_into_boxed_body)
                })
            }))
        })
    })
}

/// Returns the response to an error that no handler and no middleware has answered.
fn failed(error: actix_web::Error) -> ServiceResponse<BoxBody> {
    ServiceResponse::from_err(error, TestRequest::default().to_http_request())
}

impl InMemory {
    pub(crate) async fn answer(&self, request: TestRequest) -> ServiceResponse {
        (self.0)(request.to_request()).await
    }
}
