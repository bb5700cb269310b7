//! Service of one app on one worker and one address: actix-http, with the settings that
//! `HttpServer` has.
//!
//! This is the only file that uses what actix-web doesn't document: `AppConfig` has no other
//! constructor.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;

use actix_http::body::MessageBody;
use actix_http::error::DispatchError;
use actix_http::{HttpService, Protocol, Request, Response};
use actix_service::boxed::{self, BoxServiceFactory};
use actix_service::{IntoServiceFactory, Service, ServiceFactory, apply, map_config};
use actix_web::dev::AppConfig;

use super::factory::AppFactory;
use super::settings::Settings;
use super::track::{RequestTracker, TrackedBody};
use super::transport::Transport;
use crate::hook::error::{BoxError, chain};

/// Address on which an app is served, as the app gets it.
#[derive(Clone)]
pub(super) struct Endpoint {
    pub(super) is_secure: bool,
    pub(super) address: SocketAddr,
}

/// App whose type is known only where it is made: the code that serves it is compiled once, and not
/// for each app.
type App = BoxServiceFactory<AppConfig, Request, Response<TrackedBody>, Infallible, ()>;

/// Function that makes an app whose requests this tracker tracks.
pub(super) type Make = Box<dyn Fn(RequestTracker) -> Result<App, BoxError> + Send>;

/// Returns a function that makes the apps of `factory`.
pub(super) fn make<F, T, B>(factory: F) -> Make
where
    F: Fn() -> Result<actix_web::App<T>, BoxError> + Send + 'static,
    T: AppFactory<B> + 'static,
    B: MessageBody + 'static,
{
    Box::new(move |tracker| Ok(boxed::factory(apply(tracker, factory()?.into_factory()))))
}

type LocalFuture<T> = Pin<Box<dyn Future<Output = T>>>;

/// Function that serves a connection to its end.
pub(super) type Serve = Rc<dyn Fn(Transport, Protocol, Option<SocketAddr>) -> LocalFuture<()>>;

/// Builds an app for an endpoint.
///
/// # Errors
///
/// The reason for which the app can't be built. actix-web keeps the error of a `data_factory` or a
/// middleware to itself.
pub(super) async fn build(
    make: &Make,
    endpoint: &Endpoint,
    settings: &Settings,
) -> Result<Serve, String> {
    let tracker = RequestTracker { catches_panics: settings.catches_panics() };
    let app = make(tracker).map_err(|error| chain(&*error))?;
    let service = service(app, endpoint, settings).new_service(()).await;
    let service = Rc::new(service.map_err(|()| NOT_BUILT.to_owned())?);
    Ok(Rc::new(move |transport, protocol, peer| {
        let service = Rc::clone(&service);
        Box::pin(async move {
            if std::future::poll_fn(|context| service.poll_ready(context)).await.is_ok()
                && let Err(error) = service.call((transport, protocol, peer)).await
            {
                tracing::debug!("a connection ended early: {error}");
            }
        })
    }))
}

const NOT_BUILT: &str = "a `data_factory` or a middleware of the app failed to start, and \
                         actix-web tells its error to the `log` crate only: install a logger to \
                         see it, or make the value in a startup hook";

type Connected = (Transport, Protocol, Option<SocketAddr>);

/// Returns the service of an app with the settings. Settings that are not set are as in
/// `HttpServer`.
fn service(
    app: App,
    endpoint: &Endpoint,
    settings: &Settings,
) -> impl ServiceFactory<
    Connected,
    Config = (),
    Response = (),
    Error = DispatchError,
    // actix-web tells its reason to the `log` crate only.
    InitError = (),
> + use<> {
    let &Endpoint { is_secure, address } = endpoint;
    let host = settings.server_hostname.clone().unwrap_or_else(|| address.to_string());
    let app =
        map_config(app, move |()| AppConfig::__priv_test_new(is_secure, host.clone(), address));
    let on_connect = settings.on_connect.clone();
    let mut service = HttpService::build()
        .local_addr(address)
        .keep_alive(settings.keep_alive())
        .client_disconnect_timeout(settings.client_disconnect_timeout())
        .on_connect_ext(move |transport: &Transport, extensions| {
            if let Some(on_connect) = &on_connect {
                transport.with_socket(|socket| on_connect(socket, extensions));
            }
            // Last: the user's function may clear the extensions.
            extensions.insert(Rc::clone(transport.connection()));
        });
    if let Some(timeout) = settings.client_request_timeout {
        service = service.client_request_timeout(timeout);
    }
    if let Some(allow) = settings.h1_allow_half_closed {
        service = service.h1_allow_half_closed(allow);
    }
    if let Some(size) = settings.h1_write_buffer_size {
        service = service.h1_write_buffer_size(size);
    }
    #[cfg(feature = "http2")]
    if let Some(size) = settings.h2_initial_window_size {
        service = service.h2_initial_window_size(size);
    }
    #[cfg(feature = "http2")]
    if let Some(size) = settings.h2_initial_connection_window_size {
        service = service.h2_initial_connection_window_size(size);
    }
    service.finish(app)
}
