//! Addresses of a server, and the listeners that the program has made for it.

use std::net::{SocketAddr, TcpListener};
#[cfg(unix)]
use std::os::unix::net::UnixListener;

use super::address::{self, BindError, Taken};
use super::{BoundHttp, Http, HttpError};
use crate::process::config::{Config, ConfigError};
use crate::process::upgrade::ListenerName;

/// Address on which a server listens if the program gives none.
pub(super) const DEFAULT_ADDRESS: &str = "127.0.0.1:8080";

impl Http {
    /// Adds an address to listen on; without any, the server listens on `127.0.0.1:8080`.
    /// `LIFECYCLE_BIND` overrides all of them.
    ///
    /// - `0.0.0.0:8080`, `localhost:8080`: TCP. Port 0 takes a free one. A host name stands for
    ///   each of its addresses, except those whose kind the system lacks.
    /// - `unix:/run/app.sock`: a Unix socket (on Unix). The server replaces a file that a process
    ///   left behind. It refuses one whose owner lives, even if the owner accepts nothing. A
    ///   relative path counts from the folder in which the program starts.
    /// - `unix:/run/app.sock?mode=660`: the same, with the permission to connect as octal digits,
    ///   whatever the umask. Without `mode`, the umask decides.
    /// - `unix:@app`: an abstract name of Linux's. It has no file, and is gone with its last
    ///   socket.
    /// - `fd:3`: a listener, TCP or Unix, with which the process was started, as systemd's socket
    ///   activation and `systemfd` do (`LISTEN_FDS`).
    /// - `fd:web`: each listener that has this name (`LISTEN_FDNAMES`).
    ///
    /// A listener that the process was started with stays the parent's. Connections that arrive
    /// between the end of one process and the start of the next wait in it, and neither process
    /// refuses them. Such a listener takes no TLS if it is a Unix socket.
    ///
    /// The server binds the socket before the first hook runs, and accepts connections after the
    /// last.
    #[must_use]
    pub fn bind(mut self, address: impl Into<String>) -> Self {
        self.addresses.push(address.into());
        self
    }

    /// Adds a listener that the program has made by hand, as for an option that
    /// [`bind`](Self::bind) doesn't have. `LIFECYCLE_BIND` overrides it.
    ///
    /// From then on the listener is the server's: it is made nonblocking, and closed in a stop once
    /// what waits in it is served. A listener of the parent's, which stays open, is `fd:NAME`. In
    /// an [upgrade in place](crate::guide::deploying#in-place-upgrade) it is not handed on: the
    /// successor makes its own, for which the system has to let both listen (`SO_REUSEPORT`).
    ///
    /// ```
    /// use actix_web::App;
    /// use lifecycle_runtime::{Http, Lifecycle};
    /// use std::net::TcpListener;
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// println!("it will listen on {}", listener.local_addr()?);
    /// let lifecycle = Lifecycle::new().http(Http::new(|| App::new()).listen(listener));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn listen(mut self, listener: TcpListener) -> Self {
        self.listeners.push(listener);
        self
    }

    /// Does the same with a Unix listener. Its file is the program's: it stays. Clients that
    /// connect to it find nobody there once the listener is closed.
    #[cfg(unix)]
    #[must_use]
    pub fn listen_uds(mut self, listener: UnixListener) -> Self {
        self.unix_listeners.push(listener);
        self
    }

    /// Returns the addresses that the program has given the server.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = &String> {
        self.addresses.iter()
    }

    /// Returns whether binding this address may take long: the system has a name to look up, or
    /// another process to ask.
    pub(crate) fn may_wait_to_bind(address: &str) -> bool {
        !address.starts_with("fd:") && address.parse::<SocketAddr>().is_err()
    }

    /// Replaces the addresses, if others are given, and the settings that the environment has set.
    pub(crate) fn override_with(&mut self, addresses: Option<Vec<String>>, config: &Config) {
        if let Some(addresses) = addresses {
            self.addresses = addresses;
            self.listeners.clear();
            #[cfg(unix)]
            self.unix_listeners.clear();
        }
        self.settings.override_with(config);
    }

    /// Binds the addresses, and refuses those that the program has already taken. Nothing listens
    /// yet.
    pub(crate) fn bound(mut self, taken: &mut Taken) -> Result<BoundHttp, HttpError> {
        if let Some(problem) = self.settings.problem() {
            return Err(HttpError::Config(ConfigError::new(problem)));
        }
        let setting = self.setting;
        let refused = |error| match error {
            BindError::Malformed(text) => {
                HttpError::Config(ConfigError::new(format!("{setting}: {text}")))
            }
            BindError::Refused(text) => HttpError::Bind(text),
        };
        let (mut sockets, mut names) = (Vec::new(), Vec::new());
        for listener in self.listeners.drain(..) {
            sockets.push(address::made(listener, "`listen`", taken).map_err(refused)?);
            names.push(None);
        }
        #[cfg(unix)]
        for listener in self.unix_listeners.drain(..) {
            sockets.push(address::made_unix(listener, "`listen_uds`").map_err(refused)?);
            names.push(None);
        }
        if sockets.is_empty() && self.addresses.is_empty() {
            self.addresses.push(DEFAULT_ADDRESS.to_owned());
        }
        for address in &self.addresses {
            let number = taken.next_number();
            let bound = address::bind(address, setting, taken).map_err(refused)?;
            let name =
                || Some(ListenerName { number, is_of_parent: false, address: address.clone() });
            names.extend(bound.iter().map(|_| name()));
            sockets.extend(bound);
        }
        Ok(BoundHttp { http: self, sockets, names })
    }
}
