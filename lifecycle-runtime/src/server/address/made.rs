//! Listeners that the program has made by hand.

use std::io;
use std::net::TcpListener;
#[cfg(unix)]
use std::os::unix::net::UnixListener;

use socket2::Socket;

#[cfg(unix)]
use super::inherited;
use super::taken::{Place, Taken};
#[cfg(unix)]
use super::unix::SocketFile;
use super::{BindError, Bound};

/// Takes a TCP listener that the program has made by hand.
pub(in crate::server) fn made(
    listener: TcpListener,
    setting: &str,
    taken: &mut Taken,
) -> Result<Bound, BindError> {
    let unusable = |error| unusable(setting, &error);
    listener.set_nonblocking(true).map_err(unusable)?;
    let address = listener.local_addr().map_err(unusable)?;
    let socket = Socket::from(listener);
    let only_v6 = address.is_ipv6() && socket.only_v6().map_err(unusable)?;
    let place = Place::Tcp { address, only_v6 };
    taken.check(&address.to_string(), &place)?;
    taken.add(&address.to_string(), setting, place);
    Ok(Bound::Made(socket))
}

/// Takes a Unix listener that the program has made by hand.
#[cfg(unix)]
pub(in crate::server) fn made_unix(
    listener: UnixListener,
    setting: &str,
) -> Result<Bound, BindError> {
    listener.set_nonblocking(true).map_err(|error| unusable(setting, &error))?;
    let socket = Socket::from(listener);
    let file = SocketFile::of_program(inherited::address_of(&socket));
    Ok(Bound::MadeUnix(socket, file))
}

fn unusable(setting: &str, error: &io::Error) -> BindError {
    BindError::Refused(format!("can't use the listener given to {setting}: {error}"))
}
