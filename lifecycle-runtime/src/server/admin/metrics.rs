//! Metrics of the run.

use actix_web::http::header::{Accept, Header, Quality};
use actix_web::{Error, HttpRequest, HttpResponse};

use crate::observe::metrics::TextFormat;
use crate::observe::view::RunView;
use crate::server::extract::of_the_framework;
use crate::server::open::OpenServers;
use crate::server::tasks::TaskSet;

/// Answers by the metrics, in the format that the client prefers.
pub(super) async fn metrics(request: HttpRequest) -> Result<HttpResponse, Error> {
    let servers = of_the_framework::<OpenServers>(&request)?.counts().await;
    let tasks = of_the_framework::<TaskSet>(&request)?.numbers();
    let format = Accept::parse(&request).map_or(TextFormat::Prometheus, |accept| format(&accept));
    let metrics = of_the_framework::<RunView>(&request)?.metrics(servers, tasks);
    Ok(HttpResponse::Ok().content_type(format.content_type()).body(metrics.into_text(format)))
}

/// Returns the format that a client prefers. The older one is for those that accept neither.
fn format(accept: &Accept) -> TextFormat {
    let wanted = accept.iter().filter(|accepted| accepted.quality > Quality::ZERO);
    let wanted = Accept(wanted.cloned().collect()).ranked();
    let known = wanted.into_iter().find_map(|accepted| {
        let version = accepted.get_param("version").map(|version| version.as_str().to_owned());
        match (accepted.essence_str(), version.as_deref()) {
            ("application/openmetrics-text", None | Some("1.0.0")) => Some(TextFormat::OpenMetrics),
            ("text/plain" | "text/*" | "*/*", None | Some("0.0.4")) => Some(TextFormat::Prometheus),
            _ => None,
        }
    });
    known.unwrap_or(TextFormat::Prometheus)
}
