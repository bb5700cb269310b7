//! Sockets of a server's addresses. They are bound before the first hook runs, so that an address
//! in use fails at once, and listen after the last.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
#[cfg(unix)]
use std::os::unix::net::UnixListener;

#[cfg(unix)]
use socket2::SockRef;
use socket2::{Domain, Socket, Type};

#[cfg(unix)]
mod inherited;
mod taken;
#[cfg(test)]
mod tests;
#[cfg(unix)]
mod unix;

#[cfg(unix)]
use inherited::Inherited;
#[cfg(unix)]
pub(crate) use inherited::{close_untaken, predecessor_channel};
use taken::Place;
pub(crate) use taken::Taken;
#[cfg(unix)]
pub(super) use unix::SocketFile;
#[cfg(unix)]
use unix::UnixAddress;

use crate::process::upgrade::ListenerName;

/// A socket that is bound and doesn't listen yet.
pub(super) enum Bound {
    Tcp(Socket),
    /// Listener of the parent, which listens all the time.
    #[cfg(unix)]
    Inherited(Inherited),
    /// Listener of the predecessor, which listens all the time.
    #[cfg(unix)]
    Handed(TcpListener),
    #[cfg(unix)]
    HandedUnix(UnixListener, SocketFile),
    #[cfg(unix)]
    Unix(Socket, SocketFile),
}

/// A socket that listens.
pub(super) enum Listener {
    Tcp(TcpListener),
    /// TCP listener of the parent, which the server neither empties nor closes.
    #[cfg(unix)]
    Inherited(TcpListener),
    /// Unix listener of the parent, to which the file belongs as well.
    #[cfg(unix)]
    InheritedUnix(UnixListener),
    /// TCP listener of the predecessor, on which the server accepts once it takes over.
    #[cfg(unix)]
    Handed(TcpListener),
    /// Unix listener of the predecessor, to which the file belongs until then.
    #[cfg(unix)]
    HandedUnix(UnixListener, SocketFile),
    #[cfg(unix)]
    Unix(UnixListener, SocketFile),
}

/// Error from binding an address.
pub(super) enum BindError {
    /// Mistake in the configuration, such as text that is no address.
    Malformed(String),
    /// Refusal by the system.
    Refused(String),
}

/// Binds an address: `host:port`, each address that the host resolves to, `unix:/path` or
/// `unix:@name`. Or takes the listeners that the parent has left open: `fd:3`, or each listener of
/// a name. A successor takes what its predecessor had for the address. `setting` names the origin
/// of the address, for messages.
pub(super) fn bind(
    address: &str,
    setting: &str,
    taken: &mut Taken,
) -> Result<Vec<Bound>, BindError> {
    #[cfg(unix)]
    {
        let handed = handed(address, setting, taken)?;
        if !handed.is_empty() {
            return Ok(handed);
        }
    }
    #[cfg(unix)]
    if let Some(unix) = address.strip_prefix("unix:") {
        let unix = UnixAddress::parse(unix).map_err(|reason| malformed(address, &reason))?;
        // Before the bind: the file of a socket that doesn't listen yet looks like one that was
        // left behind.
        if let Some(place) = unix.place() {
            taken.check(address, &place)?;
        }
        let (socket, file) =
            unix.bind().map_err(|error| BindError::Refused(refused(address, setting, &error)))?;
        if let Some(place) = unix.place() {
            taken.add(address, setting, place);
        }
        return Ok(vec![Bound::Unix(socket, file)]);
    }
    #[cfg(unix)]
    if let Some(which) = address.strip_prefix("fd:") {
        let listeners = inherited::take(which).map_err(|error| {
            BindError::Malformed(format!(
                "can't take the listener `{address}`: {error}; start the process with one, \
                 as systemd and systemfd do, or use host:port"
            ))
        })?;
        return Ok(listeners.into_iter().map(Bound::Inherited).collect());
    }
    let resolved =
        address.to_socket_addrs().map_err(|error| malformed(address, &error.to_string()))?;
    bind_each(address, resolved.collect(), setting, taken, tcp)
}

/// Takes the listeners that the predecessor had for an address; none if it had no such
/// address.
#[cfg(unix)]
fn handed(address: &str, setting: &str, taken: &mut Taken) -> Result<Vec<Bound>, BindError> {
    let malformed = |reason: String| malformed(address, &reason);
    let handed = inherited::of_predecessor(address).map_err(malformed)?;
    let mut bound = Vec::new();
    for (listener, is_of_parent) in handed {
        bound.push(match listener {
            listener if is_of_parent => Bound::Inherited(listener),
            Inherited::Tcp(listener) => {
                if let Some(place) = place_of(&listener) {
                    taken.add(address, setting, place);
                }
                Bound::Handed(listener)
            }
            Inherited::Unix(listener) => {
                let unix = address.strip_prefix("unix:").unwrap_or(address);
                let unix = UnixAddress::parse(unix).map_err(malformed)?;
                if let Some(place) = unix.place() {
                    taken.add(address, setting, place);
                }
                Bound::HandedUnix(listener, unix.of_predecessor())
            }
        });
    }
    Ok(bound)
}

/// Returns the place that a listener has; `None` if the system doesn't tell.
#[cfg(unix)]
fn place_of(listener: &TcpListener) -> Option<Place> {
    let address = listener.local_addr().ok()?;
    let only_v6 = address.is_ipv6() && SockRef::from(listener).only_v6().ok()?;
    Some(Place::Tcp { address, only_v6 })
}

/// Binds each address of a host. One of them is enough where the system has no addresses of the
/// others' kind: `localhost` has an IPv6 address even where there is no IPv6.
fn bind_each(
    address: &str,
    mut resolved: Vec<SocketAddr>,
    setting: &str,
    taken: &mut Taken,
    socket: fn(SocketAddr) -> io::Result<(Socket, Place)>,
) -> Result<Vec<Bound>, BindError> {
    resolved.dedup();
    if resolved.is_empty() {
        return Err(BindError::Malformed(format!("`{address}` resolves to no address")));
    }
    let refused = |error| BindError::Refused(refused(address, setting, &error));
    let mut bound = Vec::new();
    let mut unavailable = None;
    for resolved in resolved {
        let (socket, place) = match socket(resolved) {
            Err(error) if is_unavailable(&error) => {
                unavailable = Some(error);
                continue;
            }
            made => made.map_err(refused)?,
        };
        taken.check(address, &place)?;
        match socket.bind(&resolved.into()) {
            Ok(()) => {
                // Port 0 stands for a port that nobody has.
                if resolved.port() != 0 {
                    taken.add(address, setting, place);
                }
                bound.push(Bound::Tcp(socket));
            }
            Err(error) if is_unavailable(&error) => unavailable = Some(error),
            Err(error) => return Err(refused(error)),
        }
    }
    match unavailable {
        Some(error) if bound.is_empty() => Err(refused(error)),
        _ => Ok(bound),
    }
}

/// Returns whether the system has no such address, or no addresses of its kind at all.
fn is_unavailable(error: &io::Error) -> bool {
    #[cfg(unix)]
    let no_such_kind = rustix::io::Errno::AFNOSUPPORT.raw_os_error();
    #[cfg(not(unix))]
    let no_such_kind = 10047; // WSAEAFNOSUPPORT
    error.kind() == io::ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(no_such_kind)
}

fn malformed(address: &str, reason: &str) -> BindError {
    BindError::Malformed(format!(
        "`{address}` is no address to listen on ({reason}); use host:port, as in \
         127.0.0.1:8080, unix:/path, unix:/path?mode=660, unix:@name, fd:3 or fd:name"
    ))
}

/// Returns the message about an address that the system refuses, with advice.
fn refused(address: &str, setting: &str, error: &io::Error) -> String {
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => "another process listens there: stop it, or choose",
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 and some folders need more rights: choose"
        }
        io::ErrorKind::AlreadyExists => "move it away, or choose",
        _ if is_unavailable(error) => "this machine has no such address: choose",
        _ => return format!("can't listen on {address}: {error}"),
    };
    format!("can't listen on {address}: {error}; {advice} another address with {setting}")
}

/// Makes a socket for an address, and returns it with the place that it will take.
fn tcp(address: SocketAddr) -> io::Result<(Socket, Place)> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // On Unix this permits an address whose last connections are still closing; elsewhere it would
    // permit stealing one.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    let only_v6 = address.is_ipv6() && socket.only_v6()?;
    Ok((socket, Place::Tcp { address, only_v6 }))
}

impl Bound {
    /// Returns the name under which a successor finds the socket. The address is the one with this
    /// number among those of the program.
    pub(super) fn name(&self, number: usize, address: &str) -> ListenerName {
        #[cfg(unix)]
        let is_of_parent = matches!(self, Self::Inherited(_));
        #[cfg(not(unix))]
        let is_of_parent = false;
        ListenerName { number, is_of_parent, address: address.to_owned() }
    }

    /// Returns the address for URLs that the app makes. A Unix socket has none: it gets that of
    /// `HttpServer`.
    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Tcp(socket) => socket
                .local_addr()?
                .as_socket()
                .ok_or_else(|| io::Error::other("the socket has no address")),
            #[cfg(unix)]
            Self::Inherited(Inherited::Tcp(listener)) | Self::Handed(listener) => {
                listener.local_addr()
            }
            #[cfg(unix)]
            Self::Inherited(Inherited::Unix(_)) | Self::HandedUnix(..) | Self::Unix(..) => {
                Ok(SocketAddr::from(([127, 0, 0, 1], 8080)))
            }
        }
    }

    /// Makes the socket listen: the system queues connections from here on.
    ///
    /// # Errors
    ///
    /// The system's error, as a message with advice: another process may have bound the same
    /// address, and been faster.
    pub(super) fn listen(self, backlog: u32, setting: &str) -> Result<Listener, String> {
        let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
        match self {
            Self::Tcp(socket) => match socket.listen(backlog) {
                Ok(()) => Ok(Listener::Tcp(socket.into())),
                Err(error) => {
                    let address = socket.local_addr().ok().and_then(|address| address.as_socket());
                    let address = address
                        .map_or_else(|| "its address".to_owned(), |address| address.to_string());
                    Err(refused(&address, setting, &error))
                }
            },
            #[cfg(unix)]
            Self::Inherited(Inherited::Tcp(listener)) => Ok(Listener::Inherited(listener)),
            #[cfg(unix)]
            Self::Inherited(Inherited::Unix(listener)) => Ok(Listener::InheritedUnix(listener)),
            #[cfg(unix)]
            Self::Handed(listener) => {
                // It listens already, with the backlog of the predecessor.
                let _ = SockRef::from(&listener).listen(backlog);
                Ok(Listener::Handed(listener))
            }
            #[cfg(unix)]
            Self::HandedUnix(listener, file) => {
                let _ = SockRef::from(&listener).listen(backlog);
                Ok(Listener::HandedUnix(listener, file))
            }
            #[cfg(unix)]
            Self::Unix(socket, file) => match file.listen(&socket, backlog) {
                Ok(()) => Ok(Listener::Unix(socket.into(), file)),
                Err(error) => Err(refused(&format!("unix:{}", file.name()), setting, &error)),
            },
        }
    }
}

impl Listener {
    /// Returns the URL at which clients reach the listener.
    pub(super) fn url(&self, scheme: &str) -> String {
        match self {
            Self::Tcp(listener) => tcp_url(listener, scheme),
            #[cfg(unix)]
            Self::Inherited(listener) | Self::Handed(listener) => tcp_url(listener, scheme),
            #[cfg(unix)]
            Self::InheritedUnix(listener) => unix_url(listener),
            #[cfg(unix)]
            Self::Unix(_, file) | Self::HandedUnix(_, file) => format!("unix:{}", file.name()),
        }
    }
}

/// Returns the path or the abstract name of an inherited Unix listener, as a URL.
#[cfg(unix)]
fn unix_url(listener: &UnixListener) -> String {
    let address = SockRef::from(listener).local_addr();
    let name = address.as_ref().ok().and_then(|address| {
        let path = address.as_pathname().map(|path| path.display().to_string());
        path.or_else(|| {
            address
                .as_abstract_namespace()
                .map(|name| format!("@{}", String::from_utf8_lossy(name)))
        })
    });
    format!("unix:{}", name.as_deref().unwrap_or("?"))
}

fn tcp_url(listener: &TcpListener, scheme: &str) -> String {
    match listener.local_addr() {
        Ok(address) => format!("{scheme}://{address}"),
        Err(error) => format!("{scheme}://? ({error})"),
    }
}
