//! Sockets of a server's addresses. They are bound before the first hook runs, so that an address
//! in use fails at once, and listen after the last.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
#[cfg(unix)]
use std::os::fd::AsFd;
#[cfg(unix)]
use std::os::unix::net::UnixListener;

#[cfg(unix)]
use socket2::SockRef;
use socket2::{Domain, Socket, Type};

mod error;
#[cfg(unix)]
mod inherited;
mod made;
#[cfg(unix)]
mod stored;
mod taken;
#[cfg(test)]
mod tests;
#[cfg(unix)]
mod unix;

use crate::process::systemd::Notifier;
pub(super) use error::BindError;
use error::{is_unavailable, malformed, refused};
#[cfg(unix)]
use inherited::Inherited;
#[cfg(unix)]
pub(crate) use inherited::{close_untaken, parent_listeners, predecessor_channel};
pub(super) use made::made;
#[cfg(unix)]
pub(super) use made::made_unix;
use taken::Place;
pub(crate) use taken::Taken;
#[cfg(unix)]
pub(super) use unix::SocketFile;
#[cfg(unix)]
use unix::UnixAddress;

/// A socket that is bound and doesn't listen yet.
pub(super) enum Bound {
    Tcp(Socket),
    /// TCP listener that the program has made by hand.
    Made(Socket),
    /// Unix listener that the program has made by hand, and whose file it keeps.
    #[cfg(unix)]
    MadeUnix(Socket, SocketFile),
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
    /// TCP listener that the program has made by hand.
    Made(TcpListener),
    /// Unix listener that the program has made by hand, and whose file it keeps.
    #[cfg(unix)]
    MadeUnix(UnixListener, SocketFile),
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
            // A listener whose file is gone is of no use.
            if let Some(listener) = unix.name().ok().and_then(|name| kept(&name)) {
                taken.add(address, setting, place);
                return Ok(vec![Bound::Inherited(listener)]);
            }
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
                if let Ok(at) = listener.local_addr() {
                    taken.add(address, setting, place_of(&listener, at));
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
        #[cfg(unix)]
        if let Some(listener) = kept(&resolved.to_string()) {
            let place = place_of(&listener, resolved);
            taken.check(address, &place)?;
            taken.add(address, setting, place);
            bound.push(Bound::Inherited(listener));
            continue;
        }
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

/// Takes the listener that the service manager has kept for this address, if there is one.
#[cfg(unix)]
fn kept(address: &str) -> Option<Inherited> {
    inherited::take(&stored::name_of(address)?).ok()?.into_iter().next()
}

/// Returns the place of a listener that has this address.
#[cfg(unix)]
fn place_of(listener: &impl AsFd, address: SocketAddr) -> Place {
    let only_v6 = address.is_ipv6() && SockRef::from(listener).only_v6().unwrap_or_default();
    Place::Tcp { address, only_v6 }
}

/// Returns lines about the listeners that the parent has left open: on this system there are none.
#[cfg(not(unix))]
pub(crate) fn parent_listeners(_: &Notifier) -> Vec<String> {
    Vec::new()
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
    /// Returns the address for URLs that the app makes. A Unix socket has none: it gets that of
    /// `HttpServer`.
    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Tcp(socket) | Self::Made(socket) => socket
                .local_addr()?
                .as_socket()
                .ok_or_else(|| io::Error::other("the socket has no address")),
            #[cfg(unix)]
            Self::Inherited(Inherited::Tcp(listener)) | Self::Handed(listener) => {
                listener.local_addr()
            }
            #[cfg(unix)]
            Self::Inherited(Inherited::Unix(_))
            | Self::HandedUnix(..)
            | Self::Unix(..)
            | Self::MadeUnix(..) => Ok(SocketAddr::from(([127, 0, 0, 1], 8080))),
        }
    }

    /// Makes the socket listen: the system queues connections from here on. If the service manager
    /// keeps listeners, it gets those that were bound here.
    ///
    /// # Errors
    ///
    /// The system's error, as a message with advice: another process may have bound the same
    /// address, and been faster.
    pub(super) fn listen(
        self,
        backlog: u32,
        setting: &str,
        notifier: &Notifier,
    ) -> Result<Listener, String> {
        let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
        match self {
            Self::Tcp(socket) => {
                listen_on(&socket, backlog, setting)?;
                Ok(tcp_listener(socket, notifier))
            }
            Self::Made(socket) => {
                listen_on(&socket, backlog, setting)?;
                Ok(Listener::Made(socket.into()))
            }
            #[cfg(unix)]
            Self::MadeUnix(socket, file) => match socket.listen(backlog) {
                Ok(()) => Ok(Listener::MadeUnix(socket.into(), file)),
                Err(error) => Err(refused(file.name(), setting, &error)),
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
                Ok(()) if stored::store(notifier, file.name(), &socket) => {
                    file.leave();
                    Ok(Listener::InheritedUnix(socket.into()))
                }
                Ok(()) => Ok(Listener::Unix(socket.into(), file)),
                Err(error) => Err(refused(file.name(), setting, &error)),
            },
        }
    }
}

/// Makes a TCP socket listen.
///
/// # Errors
///
/// The system's error, as a message with advice.
fn listen_on(socket: &Socket, backlog: i32, setting: &str) -> Result<(), String> {
    socket.listen(backlog).map_err(|error| {
        let address = socket.local_addr().ok().and_then(|address| address.as_socket());
        let address =
            address.map_or_else(|| "its address".to_owned(), |address| address.to_string());
        refused(&address, setting, &error)
    })
}

/// Returns the listener of a TCP socket that listens. If the service manager keeps it, what waits
/// when the server closes is for the next process.
fn tcp_listener(socket: Socket, notifier: &Notifier) -> Listener {
    #[cfg(unix)]
    if let Some(address) = socket.local_addr().ok().and_then(|address| address.as_socket())
        && stored::store(notifier, &address.to_string(), &socket)
    {
        return Listener::Inherited(socket.into());
    }
    #[cfg(not(unix))]
    let _ = notifier;
    Listener::Tcp(socket.into())
}

impl Listener {
    /// Returns whether the listener is the parent's as well, or kept by the service manager.
    pub(super) fn is_of_parent(&self) -> bool {
        #[cfg(unix)]
        return matches!(self, Self::Inherited(_) | Self::InheritedUnix(_));
        #[cfg(not(unix))]
        false
    }

    /// Returns the URL at which clients reach the listener.
    pub(super) fn url(&self, scheme: &str) -> String {
        match self {
            Self::Tcp(listener) | Self::Made(listener) => tcp_url(listener, scheme),
            #[cfg(unix)]
            Self::Inherited(listener) | Self::Handed(listener) => tcp_url(listener, scheme),
            #[cfg(unix)]
            Self::InheritedUnix(listener) => inherited::address_of(&SockRef::from(listener)),
            #[cfg(unix)]
            Self::Unix(_, file) | Self::HandedUnix(_, file) | Self::MadeUnix(_, file) => {
                file.name().to_owned()
            }
        }
    }
}

fn tcp_url(listener: &TcpListener, scheme: &str) -> String {
    match listener.local_addr() {
        Ok(address) => format!("{scheme}://{address}"),
        Err(error) => format!("{scheme}://? ({error})"),
    }
}
