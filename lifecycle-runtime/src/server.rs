//! HTTP server of a run, and the only code that knows actix-web.
//!
//! The server is built on actix-http, not on `HttpServer`, because this crate has to control how
//! connections are accepted and how they end.

mod accept;
mod accepted;
mod address;
mod addresses;
mod admin;
mod connection;
mod connection_counts;
mod extract;
mod factory;
mod handover;
mod http2;
mod in_force;
mod linger;
#[cfg(feature = "testing")]
mod memory;
mod open;
mod packets;
mod panics;
mod probes;
mod secure;
mod service;
mod serving;
mod settings;
mod socket;
mod tasks;
mod tcp_info;
mod track;
mod traffic;
mod transport;
#[cfg(test)]
mod wakes;
mod worker;

use std::net::TcpListener;
#[cfg(unix)]
use std::os::unix::net::UnixListener;

use actix_web::body::MessageBody;
#[cfg(feature = "testing")]
pub(crate) use actix_web::dev::ServiceResponse;
#[cfg(feature = "testing")]
pub(crate) use actix_web::test::TestRequest;

use crate::hook::HookMeta;
use crate::hook::scope::Scope;
use crate::observe::health::Health;
use crate::observe::view::RunView;
use crate::process::config::ConfigError;
use crate::process::stalls::StallTracker;
use crate::process::systemd::Notifier;
use crate::process::upgrade::ListenerName;
pub(crate) use accept::Obstacle;
use address::Bound;
pub(crate) use address::{Taken, parent_listeners};
#[cfg(unix)]
pub(crate) use address::{close_untaken, predecessor_channel};
pub(crate) use admin::{AdminRoutes, AdminSpec, ServiceConfig};
use factory::AppFactory;
pub use factory::BuildApp;
pub(crate) use handover::Handover;
#[cfg(feature = "testing")]
pub(crate) use memory::{BuildInMemory, InMemory};
pub(crate) use open::OpenServers;
pub(crate) use panics::PanicEvents;
pub use probes::probes;
use secure::Secure;
use service::Make;
pub(crate) use serving::{DrainTimes, Opening, Serving};
use settings::Settings;
pub use tasks::BackgroundTasks;
pub(crate) use tasks::TaskSet;

/// HTTP server to run, with its app, its addresses and the settings known from `HttpServer`.
///
/// ```
/// use actix_web::App;
/// use lifecycle_runtime::{Http, Lifecycle};
/// use std::time::Duration;
///
/// let http = Http::new(|| App::new())
///     .bind("127.0.0.1:8080")
///     .bind("unix:/tmp/app.sock")
///     .workers(2)
///     .keep_alive(Duration::from_secs(30));
/// let lifecycle = Lifecycle::new().http(http);
/// ```
pub struct Http {
    apps: Apps,
    /// Hooks whose values the apps take.
    uses: Vec<&'static HookMeta>,
    addresses: Vec<String>,
    /// Listeners that the program has made by hand.
    listeners: Vec<TcpListener>,
    #[cfg(unix)]
    unix_listeners: Vec<UnixListener>,
    /// Name of the setting that the addresses come from, for messages.
    setting: &'static str,
    protocol: Protocol,
    settings: Settings,
    #[cfg(feature = "testing")]
    memory: Option<BuildInMemory>,
}

/// Function that returns the builder of one worker's apps.
type Apps = Box<dyn Fn(&AppContext) -> Make + Send>;

/// Parts of a run that its apps receive as data.
#[derive(Clone)]
pub(crate) struct AppContext {
    pub(crate) scope: Scope,
    pub(crate) health: Health,
    pub(crate) tasks: TaskSet,
    pub(crate) panics: PanicEvents,
    pub(crate) stalls: StallTracker,
    pub(crate) view: RunView,
    /// Servers of the program, for its operators.
    pub(crate) servers: OpenServers,
    /// Handle through which the service manager is notified.
    pub(crate) notifier: Notifier,
    pub(crate) handover: Handover,
}

#[derive(Default)]
enum Protocol {
    #[default]
    Http,
    #[cfg(feature = "http2")]
    AutoH2c,
    #[cfg(feature = "rustls")]
    Rustls(Box<rustls::ServerConfig>),
}

impl Http {
    /// Returns a server for the app that `factory` builds, once for each worker thread and address.
    ///
    /// The closure can take the same arguments as a hook, so a middleware can use the hooks'
    /// values; see [`Lifecycle::http`](crate::Lifecycle::http).
    pub fn new<F, Args, T, B>(factory: F) -> Self
    where
        F: BuildApp<Args, Endpoint = T>,
        T: AppFactory<B> + 'static,
        B: MessageBody + 'static,
    {
        #[cfg(feature = "testing")]
        let memory = Some(memory::memory(factory.clone()));
        let apps: Apps = Box::new(move |app_context| {
            let (factory, app_context) = (factory.clone(), app_context.clone());
            service::make(move || app_context.app(&factory))
        });
        Self {
            uses: F::dependencies(),
            #[cfg(feature = "testing")]
            memory,
            ..Self::of(apps)
        }
    }

    /// Returns a server for these apps, with the default settings.
    fn of(apps: Apps) -> Self {
        Self {
            apps,
            uses: Vec::new(),
            addresses: Vec::new(),
            listeners: Vec::new(),
            #[cfg(unix)]
            unix_listeners: Vec::new(),
            setting: "`bind` or LIFECYCLE_BIND",
            protocol: Protocol::default(),
            settings: Settings::default(),
            #[cfg(feature = "testing")]
            memory: None,
        }
    }

    /// Serves HTTP/1.1 and, to clients that begin with it, HTTP/2 without TLS, on the TCP
    /// addresses.
    #[cfg(feature = "http2")]
    #[must_use]
    pub fn auto_h2c(mut self) -> Self {
        self.protocol = Protocol::AutoH2c;
        self
    }

    /// Serves over TLS on the TCP addresses. Unix sockets stay plain.
    ///
    /// Offers HTTP/2 and HTTP/1.1, unless the configuration has a list of its own
    /// (`alpn_protocols`). Such a list is taken as it is: `vec![b"http/1.1".to_vec()]` leaves
    /// HTTP/2 out. `HttpServer` puts both before such a list.
    ///
    /// A program to copy from: `examples/tour/examples/07_tls.rs`.
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn rustls_0_23(mut self, config: rustls::ServerConfig) -> Self {
        self.protocol = Protocol::Rustls(Box::new(config));
        self
    }

    /// Takes the builder of the app that answers in memory.
    #[cfg(feature = "testing")]
    pub(crate) fn take_memory(&mut self) -> Option<BuildInMemory> {
        self.memory.take()
    }

    /// Returns the hooks whose values its apps take.
    pub(crate) fn uses(&self) -> impl Iterator<Item = &'static HookMeta> {
        self.uses.iter().copied()
    }
}

/// Argument of [`Lifecycle::http`](crate::Lifecycle::http): an [`Http`], or just the closure that
/// builds the app.
pub trait IntoHttp<Marker> {
    /// Converts the argument into a server.
    fn into_http(self) -> Http;
}

impl IntoHttp<()> for Http {
    fn into_http(self) -> Http {
        self
    }
}

impl<F, Args, T, B> IntoHttp<(Args, T, B)> for F
where
    F: BuildApp<Args, Endpoint = T>,
    T: AppFactory<B> + 'static,
    B: MessageBody + 'static,
{
    fn into_http(self) -> Http {
        Http::new(self)
    }
}

/// Error from binding a server.
pub(crate) enum HttpError {
    Config(ConfigError),
    Bind(String),
}

/// Server whose sockets are bound and don't listen yet.
pub(crate) struct BoundHttp {
    http: Http,
    sockets: Vec<Bound>,
    /// Name of each socket, for a successor; `None` for one that is not handed on.
    names: Vec<Option<ListenerName>>,
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

    /// Returns whether a client may begin with either HTTP/1 or HTTP/2.
    fn is_either(&self) -> bool {
        match self {
            #[cfg(feature = "http2")]
            Self::AutoH2c => true,
            _ => false,
        }
    }

    fn secure(self, settings: &Settings) -> Option<Secure> {
        match self {
            #[cfg(feature = "rustls")]
            Self::Rustls(config) => Some(Secure::new(*config, settings.tls_handshake_timeout())),
            _ => {
                let _ = settings;
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::App;

    use super::*;

    #[track_caller]
    fn check(http: Http, expected: &str) {
        match http.bind("127.0.0.1:0").bound(&mut Taken::default()) {
            Err(HttpError::Config(error)) => assert_eq!(error.to_string(), expected),
            Err(HttpError::Bind(error)) => panic!("refused by the system: {error}"),
            Ok(_) => panic!("bound"),
        }
    }

    #[test]
    fn only_an_address_that_asks_nobody_is_bound_at_once() {
        for address in ["127.0.0.1:80", "[::1]:80", "fd:3"] {
            assert!(!Http::may_wait_to_bind(address), "{address}");
        }
        for address in ["localhost:80", "db.internal:80", "unix:/run/app.sock", "80"] {
            assert!(Http::may_wait_to_bind(address), "{address}");
        }
    }

    #[test]
    fn counts_are_plain_numbers() {
        let http =
            Http::new(App::new).workers(2).max_connections(100).max_connection_rate(10).backlog(64);
        let http = http.worker_max_blocking_threads(4).h1_write_buffer_size(4096);
        #[cfg(feature = "http2")]
        let http = http.h2_initial_window_size(65_535).h2_initial_connection_window_size(65_535);
        assert_eq!(http.settings.workers(), 2);
        assert_eq!(http.settings.problem(), None);
    }

    #[test]
    fn a_server_that_could_serve_nothing_is_refused_before_anything_runs() {
        let http = || Http::new(App::new);
        let workers = "expected a number of threads from 1 to 512";
        check(
            http().workers(0),
            &format!("`workers` of a server is 0: nothing would be served; {workers}"),
        );
        check(
            http().workers(513),
            &format!("`workers` of a server is 513: too many for one server; {workers}"),
        );
        let zero = |name| {
            format!("`{name}` of a server is 0: nothing would be served; expected at least 1")
        };
        check(http().max_connections(0), &zero("max_connections"));
        check(http().max_connection_rate(0), &zero("max_connection_rate"));
        check(http().worker_max_blocking_threads(0), &zero("worker_max_blocking_threads"));
        check(http().h1_write_buffer_size(0), &zero("h1_write_buffer_size"));
    }
}
