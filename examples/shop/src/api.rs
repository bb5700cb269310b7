//! The app: the routes, and the middleware around them.

use actix_cors::Cors;
use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, LOCATION};
use actix_web::middleware::{Compress, DefaultHeaders, Next, from_fn};
use actix_web::{App, Error, ResponseError};
use actix_web_prom::{PrometheusMetrics, PrometheusMetricsBuilder};
use lifecycle_runtime::{BoxError, Dep, on_startup, probes};
use tracing_actix_web::TracingLogger;
use utoipa_actix_web::AppExt;

use crate::limits::limit_requests;
use crate::logs::{AccessLog, tell_id};
use crate::problem::Problem;
use crate::settings::{Settings, settings};
use crate::{auth, docs, orders, products};

/// Creates the metrics for Prometheus, one set for all workers.
#[on_startup]
pub fn metrics() -> Result<PrometheusMetrics, BoxError> {
    PrometheusMetricsBuilder::new("shop")
        .endpoint("/metrics")
        .mask_unmatched_patterns("unknown")
        .build()
}

/// Builds the app of one worker. The middleware that is wrapped last sees a request first.
pub fn app(
    settings: Dep<settings>,
    metrics: Dep<metrics>,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = Error,
        InitError = (),
    >,
> {
    let (app, description) = App::new()
        .into_utoipa_app()
        .openapi(docs::beginning())
        .configure(products::routes)
        .configure(orders::routes)
        .configure(auth::routes)
        .split_for_parts();
    app.configure(docs::pages(description))
        .configure(probes)
        .wrap(from_fn(limit_requests))
        .wrap(Compress::default())
        .wrap(cors(&settings))
        .wrap(
            DefaultHeaders::new()
                .add(("x-content-type-options", "nosniff"))
                .add(("x-frame-options", "DENY")),
        )
        .wrap((*metrics).clone())
        .wrap(from_fn(refuse_invented_methods))
        .wrap(from_fn(tell_id))
        .wrap(TracingLogger::<AccessLog>::new())
}

/// Refuses methods that a client has invented. Methods become names of metrics, and clients could
/// invent any number of them.
async fn refuse_invented_methods<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    const KNOWN: [Method; 9] = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
        Method::TRACE,
        Method::CONNECT,
    ];
    if KNOWN.contains(request.method()) {
        return Ok(next.call(request).await?.map_into_left_body());
    }
    let refusal =
        Problem::Method { method: request.method().to_string(), allowed: "GET, POST".to_owned() };
    Ok(request.into_response(refusal.error_response()).map_into_right_body())
}

/// Lets pages of the allowed origins call the API. They sign in themselves: no cookie is sent
/// along.
fn cors(settings: &Settings) -> Cors {
    let cors = Cors::default()
        .allowed_methods(["GET", "POST"])
        .allowed_headers([AUTHORIZATION, CONTENT_TYPE, HeaderName::from_static("last-event-id")])
        .expose_headers([LOCATION, HeaderName::from_static("x-request-id")])
        .max_age(600);
    settings.allowed_origins.iter().fold(cors, |cors, origin| cors.allowed_origin(origin))
}
