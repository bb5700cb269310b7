//! Extractors of `Dep<hook>`, `Stop` and `StopHandle` in request handlers.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::error::{ErrorInternalServerError, ErrorServiceUnavailable};
use actix_web::{Error, FromRequest, HttpRequest};

use crate::hook::Hook;
use crate::hook::dep::{Dep, MissingValue};
use crate::hook::inject::Inject;
use crate::hook::scope::Scope;
use crate::hook::stop::{Stop, StopHandle};

/// Extractor, in a request handler, of the value of a hook, as in other hooks.
///
/// In a unit test, give the app a value of its own: `App::new().app_data(Dep::<db>::new(pool))`.
///
/// Answers 500, and logs the reason, if the app does not run under a
/// [`Lifecycle`](crate::Lifecycle) and has no such value, or the plan lacks the hook. A route of
/// [`Lifecycle::admin_routes`](crate::Lifecycle::admin_routes) answers 503, with the reason, while
/// the hook has no value.
///
/// ```
/// use actix_web::{App, test, web};
/// use lifecycle_runtime::{Dep, on_startup};
///
/// #[on_startup]
/// async fn greeting() -> String { "hello".into() }
///
/// async fn hello(greeting: Dep<greeting>) -> String { greeting.to_string() }
///
/// # #[actix_web::main] async fn main() {
/// let app = App::new()
///     .app_data(Dep::<greeting>::new("moin".into()))
///     .route("/", web::get().to(hello));
/// let app = test::init_service(app).await;
/// let body = test::call_and_read_body(&app, test::TestRequest::get().to_request()).await;
/// assert_eq!(body, "moin");
/// # }
/// ```
impl<H: Hook> FromRequest for Dep<H> {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(match request.app_data::<Self>() {
            Some(own) => Ok(own.clone()),
            None => extract(request),
        })
    }
}

/// Extractor, in a request handler, through which streams, web sockets and long polls end when the
/// stop begins.
impl FromRequest for Stop {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(extract(request).map(|stop: Self| stop.of_request()))
    }
}

/// Extractor, in a request handler, with which a request can stop the process.
impl FromRequest for StopHandle {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(extract(request))
    }
}

/// Marker, in an app's data, of the app of the listener for operators. It answers before the first
/// hook has begun, and until after the last.
pub(super) struct ForOperators;

fn extract<T: Inject>(request: &HttpRequest) -> Result<T, Error> {
    let scope = request.app_data::<Scope>().ok_or_else(|| refused::<T>(request, NO_FRAMEWORK))?;
    T::inject(scope).map_err(|error| {
        let missing = error.downcast_ref().filter(|missing: &&MissingValue| missing.is_of_run());
        match missing {
            // The value may be there later, or is gone on purpose.
            Some(missing) if request.app_data::<ForOperators>().is_some() => {
                ErrorServiceUnavailable(format!("{missing}\n"))
            }
            _ => refused::<T>(request, &error.to_string()),
        }
    })
}

/// Returns data that the framework gives to every app that it serves.
pub(super) fn of_the_framework<T: 'static>(request: &HttpRequest) -> Result<&T, Error> {
    request.app_data().ok_or_else(|| refused::<T>(request, NO_FRAMEWORK))
}

const NO_FRAMEWORK: &str = "the app was built without the framework: pass it to \
                            `Lifecycle::http`, or give it a value, as in \
                            `.app_data(Dep::<hook>::new(value))`";

fn refused<T>(request: &HttpRequest, reason: &str) -> Error {
    let (method, path) = (request.method(), request.path());
    tracing::error!("{method} {path}: can't extract `{}`: {reason}", std::any::type_name::<T>());
    // The client learns nothing about the inside.
    ErrorInternalServerError("internal server error")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use actix_web::{App, test, web};
    use tokio::sync::watch;
    use tokio::time::Instant;

    use super::*;
    use crate::hook::state::State;
    use crate::hook::stop::Progress;

    async fn left(stop: Stop) -> String {
        format!("{:?}", stop.time_left().map(|left| left.as_millis()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_handler_hears_how_much_time_requests_have() {
        let (progress, observed) = watch::channel(Progress::default());
        let scope = Scope::new(Arc::default(), Stop::new(observed), StopHandle::new());
        let app =
            test::init_service(App::new().app_data(scope).route("/", web::get().to(left))).await;
        let asked =
            async || test::call_and_read_body(&app, test::TestRequest::get().to_request()).await;
        assert_eq!(asked().await, "None");
        let now = Instant::now();
        progress.send_modify(|progress| {
            progress.state = State::Draining;
            progress.deadline = Some(now + Duration::from_secs(9));
            progress.cut = Some(now + Duration::from_secs(1));
        });
        assert_eq!(asked().await, "Some(1000)");
    }
}
