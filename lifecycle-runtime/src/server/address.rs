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
mod taken;

use taken::Place;
pub(crate) use taken::Taken;

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
    /// The parent's, whose file is the parent's, too.
    #[cfg(unix)]
    #[expect(dead_code, reason = "not taken yet")]
    InheritedUnix(UnixListener),
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

/// Binds an address: `host:port`, each address that the host resolves to, `unix:/path`, or takes the parent's `fd:3`. The
/// setting is where the address is from.
pub(super) fn bind(address: &str, setting: &str, taken: &mut Taken) -> Result<Vec<Bound>, BindError> {
    let refused = |error| BindError::Refused(refused(address, setting, &error));
    #[cfg(unix)]
    if let Some(path) = address.strip_prefix("unix:").map(Path::new) {
        // Before it is bound: one that doesn't listen yet looks like one that was left behind.
        if let Some(place) = Place::file(path) {
            taken.check(address, place)?;
        }
        let bound = bind_unix(path.into()).map_err(refused)?;
        Place::file(path).into_iter().for_each(|place| taken.add(address, setting, place));
        return Ok(vec![bound]);
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
    let mut resolved: Vec<_> = address.to_socket_addrs().map_err(|error| malformed(address, &error))?.collect();
    resolved.dedup();
    if resolved.is_empty() {
        return Err(BindError::Malformed(format!("`{address}` resolves to no address")));
    }
    let mut bound = Vec::new();
    let mut unavailable = None;
    for resolved in resolved {
        let (socket, place) = tcp(resolved).map_err(refused)?;
        taken.check(address, place)?;
        match socket.bind(&resolved.into()) {
            Ok(()) => {
                // Port 0 is one that nobody has.
                if resolved.port() != 0 {
                    taken.add(address, setting, place);
                }
                bound.push(Bound::Tcp(socket));
            }
            // `localhost` has an IPv6 address also where there is no IPv6.
            Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => unavailable = Some(error),
            Err(error) => return Err(refused(error)),
        }
    }
    match unavailable {
        Some(error) if bound.is_empty() => Err(refused(error)),
        _ => Ok(bound),
    }
}

fn malformed(address: &str, error: &io::Error) -> BindError {
    BindError::Malformed(format!(
        "`{address}` is no address to listen on ({error}); use host:port, as in 127.0.0.1:8080, unix:/path or fd:3"
    ))
}

/// What the system has against an address, and what to do about it.
fn refused(address: &str, setting: &str, error: &io::Error) -> String {
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => "another process listens there: stop it, or choose",
        io::ErrorKind::PermissionDenied => "ports below 1024 and some folders need more rights: choose",
        io::ErrorKind::AlreadyExists => "move it away, or choose",
        _ => return format!("can't listen on {address}: {error}"),
    };
    format!("can't listen on {address}: {error}; {advice} another address with {setting}")
}

/// A socket for an address, and the place that it is going to take.
fn tcp(address: SocketAddr) -> io::Result<(Socket, Place)> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // On Unix this permits an address whose last connections are still closing; elsewhere it would permit stealing one.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    let only_v6 = address.is_ipv6() && socket.only_v6()?;
    Ok((socket, Place::Tcp { address, only_v6 }))
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
const NO_SOCKET: &str = "there is a file that is no socket";

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
    ///
    /// # Errors
    ///
    /// What the system has against it, in words: another process may have bound the same address, and been faster.
    pub(super) fn listen(self, backlog: u32, setting: &str) -> Result<Listener, String> {
        let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
        match self {
            Self::Tcp(socket) => match socket.listen(backlog) {
                Ok(()) => Ok(Listener::Tcp(socket.into())),
                Err(error) => {
                    let address = socket.local_addr().ok().and_then(|address| address.as_socket());
                    let address = address.map_or_else(|| "its address".to_owned(), |address| address.to_string());
                    Err(refused(&address, setting, &error))
                }
            },
            #[cfg(unix)]
            Self::Inherited(listener) => Ok(Listener::Inherited(listener)),
            #[cfg(unix)]
            Self::Unix(socket, file) => {
                // As long as it didn't listen, its file looked like one that was left behind.
                let listens = match file.is_in_place() {
                    true => socket.listen(backlog),
                    false => Err(io::Error::new(io::ErrorKind::AddrInUse, "another process has replaced the file")),
                };
                match listens {
                    Ok(()) => Ok(Listener::Unix(socket.into(), file)),
                    Err(error) => Err(refused(&format!("unix:{}", file.path.display()), setting, &error)),
                }
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
            Self::InheritedUnix(_) => "unix:?".to_owned(),
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
