//! Routes of the probes.

use actix_web::http::header;
use actix_web::{Error, HttpRequest, HttpResponse, web};

use super::extract::{ForOperators, of_the_framework};
use crate::observe::health::{Audience, Health, Probe};

/// Probes, by their paths.
pub(super) const PROBES: [(&str, Probe); 3] = [
    (Probe::Liveness.path(), Probe::Liveness),
    (Probe::Readiness.path(), Probe::Readiness),
    (Probe::Startup.path(), Probe::Startup),
];

/// Adds the probes `/livez`, `/readyz` and `/startupz` to an app:
/// `App::new().configure(lifecycle_runtime::probes)`.
///
/// - `/livez` answers 200 as long as the process answers, and 503 while a liveness check fails.
///   While the process stops, it always answers 200.
/// - `/readyz` answers 200 once the start is over and each readiness check has passed, until the
///   stop begins. It answers 503 before and after, and while a readiness check fails.
/// - `/startupz` answers 200 once the start is over and each startup check has passed. It answers
///   503 before, and for good if the start failed.
///
/// The body gives the reason, as JSON on one line:
///
/// ```json
/// {
///   "status": "fail",
///   "state": "draining",
///   "reason": "the process is stopping",
///   "waiting_for": ["GET /report 4.2 s"]
/// }
/// ```
///
/// In an app, where strangers may ask, the body says "the HTTP server" instead of requests; the
/// listener of [`Lifecycle::admin`](crate::Lifecycle::admin) names them. If there are [health
/// checks](crate::health_check), the body lists those that the probe is about, with the last result
/// of each and times in milliseconds:
/// `"checks":[{"name":"ping_db","status":"pass", "last_error":null,"age":4210.5,"took":1.8}]`. The
/// `status` is `pending` before the first run; an error beside `pass` is one that does not count
/// yet. Errors appear as the checks returned them: mind who can ask.
///
/// A service that has failed for good, and that the process goes on without (`on_exit = "ignore"`),
/// changes no status. `/readyz` names it in `notes`, with the failure.
///
/// An app answers only between the last startup hook and the end of its own requests. A client that
/// asks before or after that should ask the listener of
/// [`Lifecycle::admin`](crate::Lifecycle::admin), which has the same routes.
///
/// ```
/// use actix_web::App;
/// use lifecycle_runtime::{Lifecycle, probes};
///
/// let lifecycle = Lifecycle::new().http(|| App::new().configure(probes));
/// ```
pub fn probes(config: &mut web::ServiceConfig) {
    for (path, probe) in PROBES {
        let answer = move |request: HttpRequest| std::future::ready(answer(&request, probe));
        config.service(
            web::resource(path).route(web::get().to(answer)).route(web::head().to(answer)),
        );
    }
}

fn answer(request: &HttpRequest, probe: Probe) -> Result<HttpResponse, Error> {
    let audience = if request.app_data::<ForOperators>().is_some() {
        Audience::Operators
    } else {
        Audience::Public
    };
    let answer = of_the_framework::<Health>(request)?.answer(probe, audience);
    let mut response =
        if answer.passes { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    response.content_type("application/json").insert_header((header::CACHE_CONTROL, "no-store"));
    Ok(response.body(answer.body))
}
