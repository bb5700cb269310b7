//! Sockets: bound before the first hook runs, so that an address in use fails at once; listening after the last.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
#[cfg(unix)]
use std::{os::unix::net::UnixListener, path::PathBuf};

use socket2::{Domain, Socket, Type};

/// A socket that is bound and doesn't listen yet.
pub(super) enum Bound {
    Tcp(Socket),
    #[cfg(unix)]
    Unix(Socket, SocketFile),
}

/// A socket that listens.
pub(super) enum Listener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener, SocketFile),
}

/// Why an address can't be listened on.
pub(super) enum BindError {
    /// It is no address: a mistake in the configuration.
    Malformed(String),
    /// The system refuses it.
    Refused(String),
}

/// Binds an address: `host:port`, each address that the host resolves to, or `unix:/path`.
pub(super) fn bind(address: &str) -> Result<Vec<Bound>, BindError> {
    #[cfg(unix)]
    if let Some(path) = address.strip_prefix("unix:") {
        return Ok(vec![bind_unix(path.into()).map_err(|error| refused(address, &error))?]);
    }
    let resolved: Vec<_> = address.to_socket_addrs().map_err(|error| malformed(address, &error))?.collect();
    if resolved.is_empty() {
        return Err(BindError::Malformed(format!("`{address}` resolves to no address")));
    }
    let mut bound = Vec::new();
    let mut unavailable = None;
    for resolved in resolved {
        match bind_tcp(resolved) {
            Ok(socket) => bound.push(Bound::Tcp(socket)),
            // `localhost` has an IPv6 address also where there is no IPv6.
            Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => unavailable = Some(error),
            Err(error) => return Err(refused(address, &error)),
        }
    }
    match unavailable {
        Some(error) if bound.is_empty() => Err(refused(address, &error)),
        _ => Ok(bound),
    }
}

fn malformed(address: &str, error: &io::Error) -> BindError {
    BindError::Malformed(format!(
        "`{address}` is no address to listen on ({error}); use host:port, as in 127.0.0.1:8080, or unix:/path"
    ))
}

fn refused(address: &str, error: &io::Error) -> BindError {
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "; another process listens there: stop it, or choose another address with LIFECYCLE_BIND"
        }
        io::ErrorKind::PermissionDenied => {
            "; ports below 1024 and some folders need more rights: choose another address with LIFECYCLE_BIND"
        }
        _ => "",
    };
    BindError::Refused(format!("can't listen on {address}: {error}{advice}"))
}

fn bind_tcp(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // On Unix this permits an address whose last connections are still closing; elsewhere it would permit stealing one.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

#[cfg(unix)]
fn bind_unix(path: PathBuf) -> io::Result<Bound> {
    let address = socket2::SockAddr::unix(&path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    match socket.bind(&address) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_stale(&address) => {
            std::fs::remove_file(&path)?;
            socket.bind(&address)?;
        }
        other => other?,
    }
    socket.set_nonblocking(true)?;
    Ok(Bound::Unix(socket, SocketFile(path)))
}

/// Whether a socket's file was left behind by a process that is gone.
#[cfg(unix)]
fn is_stale(address: &socket2::SockAddr) -> bool {
    let probe = || Socket::new(Domain::UNIX, Type::STREAM, None)?.connect(address);
    probe().is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

/// The file of a Unix socket, removed when the server is gone.
#[cfg(unix)]
pub(super) struct SocketFile(PathBuf);

#[cfg(unix)]
impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Bound {
    /// Connections are queued from here on.
    pub(super) fn listen(self, backlog: u32) -> io::Result<Listener> {
        let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
        match self {
            Self::Tcp(socket) => {
                socket.listen(backlog)?;
                Ok(Listener::Tcp(socket.into()))
            }
            #[cfg(unix)]
            Self::Unix(socket, file) => {
                socket.listen(backlog)?;
                Ok(Listener::Unix(socket.into(), file))
            }
        }
    }
}

impl Listener {
    /// Where it can be reached, as a URL.
    pub(super) fn url(&self, scheme: &str) -> String {
        match self {
            Self::Tcp(listener) => match listener.local_addr() {
                Ok(address) => format!("{scheme}://{address}"),
                Err(error) => format!("{scheme}://? ({error})"),
            },
            #[cfg(unix)]
            Self::Unix(_, file) => format!("unix:{}", file.0.display()),
        }
    }
}
