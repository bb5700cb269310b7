//! What actix-web's `HttpServer` lets its users set. A setting is one entry here.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Extensions;
use actix_web::http::KeepAlive;

use super::Http;

/// Called with the connection's transport when a client connects.
pub(super) type OnConnect = Arc<dyn Fn(&dyn Any, &mut Extensions) + Send + Sync>;

macro_rules! settings {
    ($($(#[doc = $doc:literal])+ $name:ident: $ty:ty,)+) => {
        /// What is set; the rest stays as `HttpServer` has it.
        #[derive(Default)]
        pub(super) struct Settings {
            $(pub(super) $name: Option<$ty>,)+
            pub(super) on_connect: Option<OnConnect>,
        }

        impl Http {
            $(
                $(#[doc = $doc])+
                #[must_use]
                pub fn $name(mut self, value: impl Into<$ty>) -> Self {
                    self.settings.$name = Some(value.into());
                    self
                }
            )+
        }

        /// An `HttpServer` with the settings.
        macro_rules! with_settings {
            ($server:expr, $settings:expr) => {{
                let (mut server, settings) = ($server, $settings);
                $(
                    if let Some(value) = settings.$name.clone() {
                        server = server.$name(value);
                    }
                )+
                if let Some(on_connect) = settings.on_connect.clone() {
                    server = server.on_connect(move |io, extensions| on_connect(io, extensions));
                }
                server
            }};
        }
        pub(super) use with_settings;
    };
}

settings! {
    /// The number of worker threads; the number of processors by default. `LIFECYCLE_WORKERS` overrides it.
    workers: usize,
    /// How long an idle connection is kept; 5 s by default.
    keep_alive: KeepAlive,
    /// Whether small writes are sent at once (`TCP_NODELAY`); the system's default by default.
    tcp_nodelay: bool,
    /// How many connections may wait to be accepted; 1024 by default. The system may allow fewer (`net.core.somaxconn`).
    backlog: u32,
    /// How many connections one worker serves at the same time; 25,600 by default.
    max_connections: usize,
    /// How many TLS handshakes one worker makes at the same time; 256 by default.
    max_connection_rate: usize,
    /// How many threads one worker's `web::block` uses at most; 512 divided by the number of processors by default.
    worker_max_blocking_threads: usize,
    /// How long a client may take to send a request's head; 5 s by default. Zero turns the limit off.
    client_request_timeout: Duration,
    /// How long a connection may take to close; 1 s by default. Zero turns the limit off.
    client_disconnect_timeout: Duration,
    /// Whether a client may close its sending half and still get its response; it may by default.
    h1_allow_half_closed: bool,
    /// The host name for URLs that the app generates; the socket's address by default.
    server_hostname: String,
}

impl Http {
    /// Calls this when a client connects, as `HttpServer::on_connect` does: to put data into a connection's extensions.
    #[must_use]
    pub fn on_connect(mut self, call: impl Fn(&dyn Any, &mut Extensions) + Send + Sync + 'static) -> Self {
        self.settings.on_connect = Some(Arc::new(call));
        self
    }
}
