//! Sockets: bound before the first hook runs, so that an address in use fails at once; listening after the last.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
#[cfg(unix)]
use std::os::unix::{
    fs::{FileTypeExt, MetadataExt},
    net::UnixListener,
};
#[cfg(unix)]
use std::path::{Path, PathBuf};

use socket2::{Domain, Socket, Type};

#[cfg(unix)]
mod inherited;

/// A socket that is bound and doesn't listen yet.
pub(super) enum Bound {
    Tcp(Socket),
    /// The parent's, which listens all the time.
    #[cfg(unix)]
    Inherited(TcpListener),
    #[cfg(unix)]
    Unix(Socket, SocketFile),
}

/// A socket that listens.
pub(super) enum Listener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Inherited(TcpListener),
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

/// Binds an address: `host:port`, each address that the host resolves to, `unix:/path`, or takes the parent's `fd:3`.
pub(super) fn bind(address: &str) -> Result<Vec<Bound>, BindError> {
    #[cfg(unix)]
    if let Some(path) = address.strip_prefix("unix:") {
        return Ok(vec![bind_unix(path.into()).map_err(|error| refused(address, &error))?]);
    }
    #[cfg(unix)]
    if let Some(number) = address.strip_prefix("fd:") {
        let listener = inherited::take(number).map_err(|error| {
            BindError::Malformed(format!(
                "can't take the listener `{address}`: {error}; start the process with one, as systemd and systemfd do, or use host:port"
            ))
        })?;
        return Ok(vec![Bound::Inherited(listener)]);
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
        "`{address}` is no address to listen on ({error}); use host:port, as in 127.0.0.1:8080, unix:/path or fd:3"
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
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            // To connect to a file of another kind is refused as well, and it is somebody's.
            if !std::fs::symlink_metadata(&path)?.file_type().is_socket() {
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, NO_SOCKET));
            }
            if !is_stale(&address) {
                return Err(error);
            }
            std::fs::remove_file(&path)?;
            socket.bind(&address)?;
        }
        other => other?,
    }
    socket.set_nonblocking(true)?;
    Ok(Bound::Unix(socket, SocketFile::new(path)?))
}

#[cfg(unix)]
const NO_SOCKET: &str =
    "there is a file that is no socket; move it away, or choose another address with LIFECYCLE_BIND";

/// Whether a socket's file was left behind by a process that is gone.
#[cfg(unix)]
fn is_stale(address: &socket2::SockAddr) -> bool {
    let probe = || Socket::new(Domain::UNIX, Type::STREAM, None)?.connect(address);
    probe().is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

/// The file of a Unix socket, removed when the server is gone, unless another one has taken its place.
#[cfg(unix)]
pub(super) struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

#[cfg(unix)]
impl SocketFile {
    fn new(path: PathBuf) -> io::Result<Self> {
        let identity = identity(&path)?;
        Ok(Self { path, identity })
    }

    fn is_in_place(&self) -> bool {
        identity(&self.path).is_ok_and(|identity| identity == self.identity)
    }
}

/// Which file a path leads to, whatever its name.
#[cfg(unix)]
fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = std::fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

#[cfg(unix)]
impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.is_in_place() {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl Bound {
    /// The address, for URLs that the app makes. A Unix socket has none: it gets that of `HttpServer`.
    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Tcp(socket) => {
                socket.local_addr()?.as_socket().ok_or_else(|| io::Error::other("the socket has no address"))
            }
            #[cfg(unix)]
            Self::Inherited(listener) => listener.local_addr(),
            #[cfg(unix)]
            Self::Unix(..) => Ok(SocketAddr::from(([127, 0, 0, 1], 8080))),
        }
    }

    /// Connections are queued from here on.
    pub(super) fn listen(self, backlog: u32) -> io::Result<Listener> {
        let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
        match self {
            Self::Tcp(socket) => {
                socket.listen(backlog)?;
                Ok(Listener::Tcp(socket.into()))
            }
            #[cfg(unix)]
            Self::Inherited(listener) => Ok(Listener::Inherited(listener)),
            #[cfg(unix)]
            Self::Unix(socket, file) => {
                // As long as it didn't listen, its file looked like one that was left behind.
                if !file.is_in_place() {
                    return Err(io::Error::new(
                        io::ErrorKind::AddrInUse,
                        format!("another process has replaced {}", file.path.display()),
                    ));
                }
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
            Self::Tcp(listener) => tcp_url(listener, scheme),
            #[cfg(unix)]
            Self::Inherited(listener) => tcp_url(listener, scheme),
            #[cfg(unix)]
            Self::Unix(_, file) => format!("unix:{}", file.path.display()),
        }
    }
}

fn tcp_url(listener: &TcpListener, scheme: &str) -> String {
    match listener.local_addr() {
        Ok(address) => format!("{scheme}://{address}"),
        Err(error) => format!("{scheme}://? ({error})"),
    }
}
