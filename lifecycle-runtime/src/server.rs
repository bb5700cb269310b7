//! The HTTP server. The only code that knows actix-web.

mod address;
mod extract;
mod in_flight;
mod settings;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::MessageBody;
use actix_web::dev::{Server, ServerHandle, ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::{App, HttpServer};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::config::ConfigError;
use crate::event::Requests;
use crate::scope::Scope;
use address::{BindError, Bound, Listener};
pub(crate) use in_flight::InFlight;
use settings::{Settings, with_settings};

/// How many connections may wait, as in `HttpServer`.
const BACKLOG: u32 = 1024;

/// Where a server listens that was told nothing else.
const DEFAULT_ADDRESS: &str = "127.0.0.1:8080";

/// An HTTP server to run: an app and what `HttpServer` can be told about serving it.
///
/// ```
/// use actix_web::App;
/// use lifecycle_runtime::{Http, Lifecycle};
/// use std::time::Duration;
///
/// let http = Http::new(|| App::new())
///     .bind("127.0.0.1:8080")
///     .bind("unix:/tmp/app.sock")
///     .workers(2_usize)
///     .keep_alive(Duration::from_secs(30));
/// let lifecycle = Lifecycle::new().http(http);
/// ```
pub struct Http {
    launch: Launch,
    addresses: Vec<String>,
    protocol: Protocol,
    settings: Settings,
}

/// What actix-web's `App` is generic over, as `HttpServer` wants it.
pub trait AppFactory<B>:
    ServiceFactory<ServiceRequest, Config = (), Response = ServiceResponse<B>, Error = actix_web::Error, InitError = ()>
{
}

impl<T, B> AppFactory<B> for T where
    T: ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse<B>,
            Error = actix_web::Error,
            InitError = (),
        >
{
}

/// Builds the server of an app whose type is known here and nowhere else. `HttpServer` can't be sent, so all of it
/// happens in one call.
type Launch = Box<dyn FnOnce(Vec<Listener>, &Protocol, &Settings, Scope, InFlight) -> io::Result<Launched> + Send>;

struct Launched {
    server: Server,
    #[cfg(unix)]
    files: Vec<address::SocketFile>,
}

#[derive(Clone, Default)]
enum Protocol {
    #[default]
    Http,
    #[cfg(feature = "http2")]
    AutoH2c,
    #[cfg(feature = "rustls")]
    Rustls(Box<rustls::ServerConfig>),
}

impl Http {
    /// A server of the app that `factory` builds, once per worker thread.
    pub fn new<F, T, B>(factory: F) -> Self
    where
        F: Fn() -> App<T> + Send + Clone + 'static,
        T: AppFactory<B> + 'static,
        B: MessageBody + 'static,
    {
        Self {
            launch: Box::new(move |listeners, protocol, settings, scope, in_flight| {
                launch(factory, listeners, protocol, settings, scope, in_flight)
            }),
            addresses: Vec::new(),
            protocol: Protocol::default(),
            settings: Settings::default(),
        }
    }

    /// Adds an address to listen on: `host:port` or, on Unix, `unix:/path/of.sock`. Port 0 takes a free one. A host name
    /// stands for each of its addresses. Without any: `127.0.0.1:8080`. `LIFECYCLE_BIND` overrides them.
    ///
    /// The socket is bound before the first hook runs, and accepts connections after the last.
    #[must_use]
    pub fn bind(mut self, address: impl Into<String>) -> Self {
        self.addresses.push(address.into());
        self
    }

    /// Serves HTTP/1.1 and, to clients that begin with it, HTTP/2 without TLS, on the TCP addresses.
    #[cfg(feature = "http2")]
    #[must_use]
    pub fn auto_h2c(mut self) -> Self {
        self.protocol = Protocol::AutoH2c;
        self
    }

    /// Serves over TLS, on the TCP addresses. Unix sockets stay plain.
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn rustls(mut self, config: rustls::ServerConfig) -> Self {
        self.protocol = Protocol::Rustls(Box::new(config));
        self
    }

    /// Replaces what the environment says.
    pub(crate) fn override_with(&mut self, addresses: Option<Vec<String>>, workers: Option<usize>) {
        if let Some(addresses) = addresses {
            self.addresses = addresses;
        }
        self.settings.workers = workers.or(self.settings.workers);
    }

    /// Binds the addresses; nothing listens yet.
    pub(crate) fn bound(mut self) -> Result<BoundHttp, HttpError> {
        if let Some(problem) = self.settings.problem() {
            return Err(HttpError::Config(ConfigError::new(problem)));
        }
        if self.addresses.is_empty() {
            self.addresses.push(DEFAULT_ADDRESS.to_owned());
        }
        let mut sockets = Vec::new();
        for address in &self.addresses {
            sockets.extend(address::bind(address).map_err(|error| match error {
                BindError::Malformed(text) => HttpError::Config(ConfigError::new(text)),
                BindError::Refused(text) => HttpError::Bind(text),
            })?);
        }
        Ok(BoundHttp { http: self, sockets })
    }
}

/// What [`Lifecycle::http`](crate::Lifecycle::http) takes: an [`Http`], or just the closure that builds the app.
pub trait IntoHttp<Marker> {
    /// The server.
    fn into_http(self) -> Http;
}

impl IntoHttp<()> for Http {
    fn into_http(self) -> Http {
        self
    }
}

impl<F, T, B> IntoHttp<(T, B)> for F
where
    F: Fn() -> App<T> + Send + Clone + 'static,
    T: AppFactory<B> + 'static,
    B: MessageBody + 'static,
{
    fn into_http(self) -> Http {
        Http::new(self)
    }
}

/// Why a server can't be bound.
pub(crate) enum HttpError {
    Config(ConfigError),
    Bind(String),
}

/// A server with its addresses taken.
pub(crate) struct BoundHttp {
    http: Http,
    sockets: Vec<Bound>,
}

impl BoundHttp {
    /// Listens and serves. On the async runtime.
    pub(crate) fn serve(self, scope: Scope) -> io::Result<Serving> {
        let Http { launch, protocol, settings, .. } = self.http;
        let backlog = settings.backlog.unwrap_or(BACKLOG);
        let listeners: Vec<_> =
            self.sockets.into_iter().map(|socket| socket.listen(backlog)).collect::<io::Result<_>>()?;
        let urls = listeners.iter().map(|listener| listener.url(protocol.scheme())).collect();
        let in_flight = InFlight::default();
        let launched = launch(listeners, &protocol, &settings, scope, in_flight.clone())?;
        let handle = launched.server.handle();
        Ok(Serving {
            urls,
            in_flight,
            handle,
            task: tokio::spawn(launched.server),
            #[cfg(unix)]
            _files: launched.files,
        })
    }
}

/// A server that serves.
pub(crate) struct Serving {
    pub(crate) urls: Vec<String>,
    pub(crate) in_flight: InFlight,
    handle: ServerHandle,
    task: JoinHandle<io::Result<()>>,
    #[cfg(unix)]
    _files: Vec<address::SocketFile>,
}

impl Serving {
    /// Whether the server has ended by itself, which it should not, and with which error.
    pub(crate) fn poll_ended(&mut self, context: &mut Context<'_>) -> Poll<Option<String>> {
        Pin::new(&mut self.task).poll(context).map(|ended| match ended {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(error) => Some(error.to_string()),
        })
    }

    /// From now on every response closes its connection.
    pub(crate) fn announce_close(&self) {
        self.in_flight.announce_close();
    }

    /// Closes the listener and waits for the requests in flight, until `deadline` or until `hurried` ends.
    pub(crate) async fn drain(mut self, deadline: Instant, hurried: impl Future<Output = ()>) -> Requests {
        let stopped = async {
            self.handle.stop(true).await;
            if !self.task.is_finished() {
                let _ = (&mut self.task).await;
            }
        };
        let done = tokio::select! {
            () = stopped => true,
            () = tokio::time::sleep_until(deadline) => false,
            () = hurried => false,
        };
        let mut requests = self.in_flight.requests();
        if done {
            // actix-web waits for connections, and so for requests: what is left in the table has lost its client.
            requests.finished += requests.cut.len() as u64;
            requests.cut.clear();
        } else {
            // Only dropping the server ends it now.
            self.task.abort();
        }
        requests
    }
}

impl Protocol {
    fn scheme(&self) -> &'static str {
        match self {
            Self::Http => "http",
            #[cfg(feature = "http2")]
            Self::AutoH2c => "http",
            #[cfg(feature = "rustls")]
            Self::Rustls(_) => "https",
        }
    }
}

/// Builds the server and starts its threads.
fn launch<F, T, B>(
    factory: F,
    listeners: Vec<Listener>,
    protocol: &Protocol,
    settings: &Settings,
    scope: Scope,
    in_flight: InFlight,
) -> io::Result<Launched>
where
    F: Fn() -> App<T> + Send + Clone + 'static,
    T: AppFactory<B> + 'static,
    B: MessageBody + 'static,
{
    let app = move || factory().app_data(scope.clone()).wrap(in_flight.middleware());
    // Its own stop closes idle connections at once and knows nothing of deadlines: the run stops it.
    let server = HttpServer::new(app).disable_signals().shutdown_timeout(u64::from(u32::MAX));
    let mut server = with_settings!(server, settings);
    #[cfg(unix)]
    let mut files = Vec::new();
    for listener in listeners {
        server = match (listener, protocol.clone()) {
            (Listener::Tcp(listener), Protocol::Http) => server.listen(listener)?,
            #[cfg(feature = "http2")]
            (Listener::Tcp(listener), Protocol::AutoH2c) => server.listen_auto_h2c(listener)?,
            #[cfg(feature = "rustls")]
            (Listener::Tcp(listener), Protocol::Rustls(config)) => server.listen_rustls_0_23(listener, *config)?,
            #[cfg(unix)]
            (Listener::Unix(listener, file), _) => {
                files.push(file);
                server.listen_uds(listener)?
            }
        };
    }
    Ok(Launched {
        server: server.run(),
        #[cfg(unix)]
        files,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(http: Http, expected: &str) {
        match http.bind("127.0.0.1:0").bound() {
            Err(HttpError::Config(error)) => assert_eq!(error.to_string(), expected),
            Err(HttpError::Bind(error)) => panic!("refused by the system: {error}"),
            Ok(_) => panic!("bound"),
        }
    }

    #[test]
    fn a_server_that_could_serve_nothing_is_refused_before_anything_runs() {
        let http = || Http::new(App::new);
        check(http().workers(0_usize), "`workers` of a server is 0, and nothing could be served; give it at least 1");
        check(
            http().max_connections(0_usize),
            "`max_connections` of a server is 0, and nothing could be served; give it at least 1",
        );
        check(http().workers(513_usize), "513 workers are too many for a server; give it at most 512");
    }
}
