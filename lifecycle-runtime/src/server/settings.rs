//! Settings of a server, known from actix-web's `HttpServer`. A setting is one entry here.

use std::any::Any;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Extensions;
use actix_web::http::KeepAlive;
use actix_web::http::header::HeaderValue;
use tokio::sync::Semaphore;

use super::Http;
use crate::process::config::{Config, LONGEST, NOTHING_SERVED, WORKERS, worker_count};

#[cfg(test)]
mod tests;

/// Function that is called with the connection's transport when a client connects.
pub(super) type OnConnect = Arc<dyn Fn(&dyn Any, &mut Extensions) + Send + Sync>;

const SECOND: Duration = Duration::from_secs(1);

/// Default time for which an idle connection is kept. It is longer than load balancers keep one,
/// which is 60 s with most: the side that closes first must not be the one that can't know of the
/// next request. The 15 s in between are more than a packet takes.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

fn parallelism() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

macro_rules! settings {
    ($($(#[doc = $doc:literal])+ $name:ident: $ty:ty $(, if $feature:literal)?;)+) => {
        /// Settings that the program gives; the rest stays as `HttpServer` has it.
        #[derive(Default)]
        pub(super) struct Settings {
            $($(#[cfg(feature = $feature)])? pub(super) $name: Option<$ty>,)+
            pub(super) keep_alive: Option<KeepAlive>,
            pub(super) server_hostname: Option<String>,
            pub(super) on_connect: Option<OnConnect>,
            /// Number of connections that are accepted even when the process has no descriptor
            /// left.
            pub(super) reserve: usize,
            /// Name of the workers' threads, without their number; `http-worker` by default.
            pub(super) thread_name: Option<&'static str>,
        }

        impl Http {
            $(
                $(#[doc = $doc])+
                $(#[cfg(feature = $feature)])?
                #[must_use]
                pub fn $name(mut self, value: $ty) -> Self {
                    self.settings.$name = Some(value);
                    self
                }
            )+
        }
    };
}

settings! {
    /// Sets the number of worker threads, 1 to 512; the number of processors by default.
    /// `LIFECYCLE_WORKERS` overrides it. Any other number is refused with exit code 2.
    workers: usize;
    /// Sets whether small writes are sent at once (`TCP_NODELAY`); on by default.
    tcp_nodelay: bool;
    /// Sets the number of connections that may wait; 1024 by default. The system may allow fewer
    /// (`net.core.somaxconn`).
    backlog: u32;
    /// Sets the number of connections that one worker serves at the same time; 25,600 by default.
    max_connections: usize;
    /// Sets the number of TLS handshakes that one worker makes at the same time; 256 by default.
    max_connection_rate: usize;
    /// Sets the number of threads that one worker's `web::block` uses at most; 512 divided by the
    /// number of processors by default.
    worker_max_blocking_threads: usize;
    /// Sets the time for a client to send a request's head; 5 s by default. Zero turns the limit
    /// off.
    client_request_timeout: Duration;
    /// Sets the time for a connection to close; 1 s by default. Zero turns the limit off.
    ///
    /// While the server drains, a client has this long for each of these; zero stands for 1 s
    /// there:
    ///
    /// - to stop sending a body that nobody reads, counted from its acknowledgement of the response
    /// - to answer the Close of a web socket, counted from the end of the server's messages
    /// - to show that it has read an HTTP/2 response to its end, counted anew each time that it
    ///   shows that it reads
    client_disconnect_timeout: Duration;
    /// Sets the time over which the Closes of web sockets are spread when the server closes. Each
    /// connection waits a random part of it, so that thousands of clients don't connect to your
    /// other processes in the same instant. Zero, at once, by default.
    ///
    /// The drain must have as much time: a connection that `drain_timeout` or the grace period cuts
    /// off gets no Close.
    websocket_close_spread: Duration;
    /// Sets whether a request whose handler panics is answered with 500 and `Connection: close`.
    /// Off by default, as under `HttpServer`: the connection is closed without an answer.
    ///
    /// A balancer takes a connection that ends without an answer for an instance that is down. It
    /// may send the request to another, which panics as well. Whatever this is set to, the message
    /// of the panic is on stderr, and the report counts the request as `panicked`.
    ///
    /// The answer is made outside of every middleware, so a logger of requests doesn't see it.
    /// There is no answer to a panic of a body whose head is out, nor to any panic with
    /// `panic = "abort"`.
    ///
    /// ```
    /// use actix_web::App;
    /// use lifecycle_runtime::{Http, Lifecycle};
    ///
    /// let lifecycle = Lifecycle::new().http(Http::new(|| App::new()).catch_panics(true));
    /// ```
    catch_panics: bool;
    /// Sets whether a client may close its sending half and still get its response; on by default.
    h1_allow_half_closed: bool;
    /// Sets the number of a response's bytes that are collected before they are written (HTTP/1);
    /// 32 KiB by default.
    h1_write_buffer_size: usize;
    /// Sets the initial flow control window of an HTTP/2 stream, in bytes; 1 MiB by default.
    h2_initial_window_size: u32, if "http2";
    /// Sets the initial flow control window of an HTTP/2 connection, in bytes; 2 MiB by default.
    h2_initial_connection_window_size: u32, if "http2";
    /// Sets the time for a TLS handshake; 3 s by default.
    tls_handshake_timeout: Duration, if "rustls";
}

/// Settings that the program doesn't give are as in `HttpServer`, except `keep_alive`. Those for
/// which actix-http has the default are left to it.
impl Settings {
    pub(super) fn workers(&self) -> usize {
        self.workers.unwrap_or_else(parallelism)
    }

    /// Returns the rule by which idle connections are kept.
    pub(super) fn keep_alive(&self) -> KeepAlive {
        self.keep_alive.unwrap_or(KeepAlive::Timeout(KEEP_ALIVE))
    }

    /// Takes over the settings of the environment, and shortens times that are longer than the
    /// longest one.
    pub(super) fn override_with(&mut self, config: &Config) {
        self.workers = config.workers.or(self.workers);
        self.keep_alive = config.keep_alive.map(KeepAlive::from).or(self.keep_alive);
        if let Some(KeepAlive::Timeout(timeout)) = &mut self.keep_alive {
            *timeout = LONGEST.min(*timeout);
        }
        for duration in [
            &mut self.client_request_timeout,
            &mut self.client_disconnect_timeout,
            &mut self.websocket_close_spread,
            #[cfg(feature = "rustls")]
            &mut self.tls_handshake_timeout,
        ] {
            *duration = duration.map(|duration| LONGEST.min(duration));
        }
    }

    /// Returns whether a request whose handler panics gets a response.
    pub(super) fn catches_panics(&self) -> bool {
        self.catch_panics.unwrap_or(false)
    }

    pub(super) fn max_connections(&self) -> usize {
        self.max_connections.unwrap_or(25_600)
    }

    pub(super) fn max_connection_rate(&self) -> usize {
        self.max_connection_rate.unwrap_or(256).min(Semaphore::MAX_PERMITS)
    }

    pub(super) fn max_blocking_threads(&self) -> usize {
        self.worker_max_blocking_threads.unwrap_or_else(|| (512 / parallelism()).max(1))
    }

    pub(super) fn client_disconnect_timeout(&self) -> Duration {
        self.client_disconnect_timeout.unwrap_or(SECOND)
    }

    /// Returns the time that a client has to close its side while the server drains.
    pub(super) fn closing_timeout(&self) -> Duration {
        self.client_disconnect_timeout.filter(|timeout| !timeout.is_zero()).unwrap_or(SECOND)
    }

    pub(super) fn client_request_timeout(&self) -> Option<Duration> {
        Some(self.client_request_timeout.unwrap_or(5 * SECOND)).filter(|timeout| !timeout.is_zero())
    }

    #[cfg(feature = "rustls")]
    pub(super) fn tls_handshake_timeout(&self) -> Duration {
        self.tls_handshake_timeout.unwrap_or(3 * SECOND)
    }

    /// Returns a mistake in the settings with which actix-web would panic or serve nothing.
    pub(super) fn problem(&self) -> Option<String> {
        let fault = |name: &str, count, fault: &str, expected: &str| {
            Some(format!("`{name}` of a server is {count}: {fault}; expected {expected}"))
        };
        if let Some(workers) = self.workers
            && let Err(reason) = worker_count(workers)
        {
            return fault("workers", workers, reason, WORKERS);
        }
        let counts = [
            ("worker_max_blocking_threads", self.worker_max_blocking_threads),
            ("max_connections", self.max_connections),
            ("max_connection_rate", self.max_connection_rate),
            ("h1_write_buffer_size", self.h1_write_buffer_size),
        ];
        let (zero, _) = counts.into_iter().find(|(_, count)| *count == Some(0))?;
        fault(zero, 0, NOTHING_SERVED, "at least 1")
    }
}

impl Http {
    /// Sets the time for which an idle connection is kept; 75 s by default, where `HttpServer` has
    /// 5 s. `LIFECYCLE_KEEP_ALIVE` overrides it.
    ///
    /// Behind a load balancer, it must be longer than the balancer keeps an idle connection to this
    /// server (60 s with most). If the server closes first, a request may be on its way, and its
    /// client gets 502.
    #[must_use]
    pub fn keep_alive(mut self, value: impl Into<KeepAlive>) -> Self {
        self.settings.keep_alive = Some(value.into());
        self
    }

    /// Sets the host name for URLs that the app generates; the socket's address by default.
    #[must_use]
    pub fn server_hostname(mut self, value: impl Into<String>) -> Self {
        self.settings.server_hostname = Some(value.into());
        self
    }

    /// Sets a function to call when a client connects, as `HttpServer::on_connect` does. It can put
    /// data into a connection's extensions.
    #[must_use]
    pub fn on_connect(
        mut self,
        call: impl Fn(&dyn Any, &mut Extensions) + Send + Sync + 'static,
    ) -> Self {
        self.settings.on_connect = Some(Arc::new(call));
        self
    }
}

/// Returns the value of the `Keep-Alive` header, by which a response tells its client how long the
/// connection is kept: `timeout=74`. `None` if there is no such time to tell.
///
/// The header is for responses over HTTP/1 that keep their connection, and goes with
/// `Connection: keep-alive`; HTTP/2 forbids both (RFC 9113, section 8.2.2). Clients that heed it,
/// such as Node.js, Java's and Apache's `HttpClient`, don't reuse a connection when it is about to
/// be closed. The client is told a second less than the server keeps the connection: the server
/// counts from the request's end, and the client from the response's arrival. (Node.js does the
/// same.)
pub(super) fn keep_alive_header(keep_alive: KeepAlive) -> Option<HeaderValue> {
    let KeepAlive::Timeout(kept) = keep_alive else { return None };
    let seconds = kept.as_secs().saturating_sub(1);
    (seconds > 0).then(|| HeaderValue::from_str(&format!("timeout={seconds}")).ok()).flatten()
}
