//! The log, which `tracing` fills, with one line for each request.

use std::io::IsTerminal;
use std::iter::successors;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage};
use lifecycle_runtime::on_startup;
use tracing::Span;
use tracing_actix_web::{RequestId, RootSpanBuilder};
use tracing_subscriber::EnvFilter;

/// Sets up the log on stderr, with the levels in `RUST_LOG`. By default it has everything but
/// details, and nothing that the console shows anyway.
#[on_startup]
pub fn log() {
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("info,lifecycle_runtime=off"));
    // Tests of one process share a log.
    let is_read = std::io::stderr().is_terminal();
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(is_read)
        .with_writer(std::io::stderr)
        .try_init();
}

/// Log of the requests: a span for each, and a line at its end.
pub struct AccessLog;

impl RootSpanBuilder for AccessLog {
    fn on_request_start(request: &ServiceRequest) -> Span {
        let id =
            request.extensions().get::<RequestId>().map(ToString::to_string).unwrap_or_default();
        // The part behind the `?` can be anything, even something that should not be kept.
        tracing::info_span!("request", method = %request.method(), path = request.path(), id)
    }

    fn on_request_end<B: MessageBody>(span: Span, outcome: &Result<ServiceResponse<B>, Error>) {
        let status = match outcome {
            Ok(response) => response.status(),
            Err(error) => error.as_response_error().status_code(),
        };
        span.in_scope(|| tracing::info!(status = status.as_u16(), "answered"));
    }
}

/// Sends the client the id of its request in the log.
pub async fn tell_id(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let id = request.extensions().get::<RequestId>().map(ToString::to_string);
    let mut response = next.call(request).await?;
    if let Some(value) = id.and_then(|id| HeaderValue::from_str(&id).ok()) {
        response.headers_mut().insert(HeaderName::from_static("x-request-id"), value);
    }
    Ok(response)
}

/// Formats an error with its causes, in one line.
pub fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
