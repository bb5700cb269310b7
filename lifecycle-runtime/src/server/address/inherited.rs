//! Listeners that the process was started with. A parent keeps them open while one process follows
//! another.
//!
//! The parent describes them by variables, as in `sd_listen_fds(3)`. `LISTEN_FDS` is their count,
//! from number 3 on; `LISTEN_PID` is the process that they are for; `LISTEN_FDNAMES` has a name for
//! each. A parent that is not the program's own, such as `systemfd`, may leave out `LISTEN_PID`.
//! `LISTEN_FDS_FIRST_FD` is another number to begin with.
//!
//! The predecessor in an upgrade does the same, with names that tell the addresses.

use std::collections::BTreeMap;
use std::env;
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{LazyLock, Mutex, PoisonError};

use listenfd::ListenFd;
use socket2::{SockRef, Socket};

use crate::process::upgrade::{CHANNEL, ListenerName};

mod left_over;
#[cfg(test)]
mod tests;

pub(super) use left_over::address_of;
pub(crate) use left_over::parent_listeners;

/// Listener of the parent's.
pub(in crate::server) enum Inherited {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// Listeners that the parent has left open. The process has one such list, from which each listener
/// is taken once.
static LEFT_OPEN: LazyLock<(ParentVariables, Mutex<LeftOpen>)> = LazyLock::new(|| {
    // The variables are read before the list is made. Making it removes them, as they are not for
    // children.
    let variables = ParentVariables::read();
    let list = ListenFd::from_env();
    (variables, Mutex::new(LeftOpen { list, by_number: Vec::new(), left_over: Vec::new() }))
});

/// Listeners that the parent has left open, and facts about those that have been taken.
struct LeftOpen {
    list: ListenFd,
    /// Listeners that were taken by their numbers, each with its place and its address.
    by_number: Vec<(usize, String)>,
    /// Sockets that nobody has taken. They stay open, as they are the parent's.
    left_over: Vec<Socket>,
}

/// Contents of the parent's variables.
#[derive(Debug, Default)]
struct ParentVariables {
    fds: Option<String>,
    pid: Option<String>,
    names: Option<String>,
    first: Option<usize>,
}

/// Takes the listener with this number, or each one with this name.
///
/// # Errors
///
/// The reason for which there is no such listener, as a part of a sentence.
pub(super) fn take(which: &str) -> Result<Vec<Inherited>, String> {
    let (variables, list) = &*LEFT_OPEN;
    let places = variables.places(which, std::process::id())?;
    let mut left_open = list.lock().unwrap_or_else(PoisonError::into_inner);
    let mut listeners = Vec::new();
    for place in places {
        let listener = take_one(&mut left_open.list, place)?;
        if is_number(which) {
            left_open.by_number.push((place, listener.address()));
        }
        listeners.push(listener);
    }
    Ok(listeners)
}

/// Returns whether an address means a listener by its number.
fn is_number(which: &str) -> bool {
    which.is_empty() || which.bytes().all(|byte| byte.is_ascii_digit())
}

/// Takes the channel to the predecessor, if this process is the successor in an upgrade and nobody
/// has taken it yet.
pub(crate) fn predecessor_channel() -> Option<UnixStream> {
    let place = names_of_predecessor()?.split(':').position(|name| name == CHANNEL)?;
    let mut left_open = LEFT_OPEN.1.lock().unwrap_or_else(PoisonError::into_inner);
    // The crate has no function for a socket that does not listen, and does not look at that.
    let channel = left_open.list.take_unix_listener(place).ok()??;
    Some(UnixStream::from(OwnedFd::from(channel)))
}

/// Takes the listeners that the predecessor had for this address, in the order of its own
/// addresses. Each comes with a `bool` that is set for one of the parent's.
///
/// # Errors
///
/// The reason for which they are no listeners, as a part of a sentence.
pub(super) fn of_predecessor(address: &str) -> Result<Vec<(Inherited, bool)>, String> {
    let Some(names) = names_of_predecessor() else { return Ok(Vec::new()) };
    let mut numbered = BTreeMap::<_, Vec<_>>::new();
    for (place, name) in names.split(':').enumerate() {
        if let Some(name) = ListenerName::parse(name).filter(|name| name.address == address) {
            numbered.entry(name.number).or_default().push((place, name.is_of_parent));
        }
    }
    let mut left_open = LEFT_OPEN.1.lock().unwrap_or_else(PoisonError::into_inner);
    for places in numbered.into_values() {
        let mut listeners = Vec::new();
        for (place, is_of_parent) in places {
            let listener = find(&mut left_open.list, place)?;
            listeners.extend(listener.map(|listener| (listener, is_of_parent)));
        }
        // Of a program that has an address twice, as it may with port 0, the second comes next.
        if !listeners.is_empty() {
            return Ok(listeners);
        }
    }
    Ok(Vec::new())
}

/// Closes the listeners of the predecessor that nobody has taken, and returns their addresses.
pub(crate) fn close_untaken() -> Vec<String> {
    let Some(names) = names_of_predecessor() else { return Vec::new() };
    let mut left_open = LEFT_OPEN.1.lock().unwrap_or_else(PoisonError::into_inner);
    let mut untaken = Vec::new();
    for (place, name) in names.split(':').enumerate() {
        if let Some(name) = ListenerName::parse(name)
            && let Ok(Some(_closed)) = find(&mut left_open.list, place)
        {
            untaken.push(name.address);
        }
    }
    untaken
}

/// Returns the names of what the predecessor has handed to this process, if it has one.
fn names_of_predecessor() -> Option<&'static str> {
    LEFT_OPEN.0.names.as_deref().filter(|names| names.contains(CHANNEL))
}

fn take_one(list: &mut ListenFd, place: usize) -> Result<Inherited, String> {
    let taken = || "another address of this program has taken it".to_owned();
    find(list, place)?.ok_or_else(taken)
}

/// Takes the listener at this place, unless it has been taken.
fn find(list: &mut ListenFd, place: usize) -> Result<Option<Inherited>, String> {
    let listener = match list.take_tcp_listener(place) {
        Ok(listener) => listener.map(Inherited::Tcp),
        Err(no_tcp) => match list.take_unix_listener(place) {
            Ok(listener) => listener.map(Inherited::Unix),
            Err(no_unix) if no_unix.to_string() == no_tcp.to_string() => {
                return Err(no_tcp.to_string());
            }
            Err(no_unix) => return Err(format!("{no_tcp}, and {no_unix}")),
        },
    };
    let Some(listener) = listener else { return Ok(None) };
    match listener.prepare() {
        Ok(true) => Ok(Some(listener)),
        Ok(false) => {
            Err("it does not listen: it may be a connection, of a unit with Accept=yes".to_owned())
        }
        Err(error) => Err(error.to_string()),
    }
}

impl AsFd for Inherited {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Unix(listener) => listener.as_fd(),
        }
    }
}

impl Inherited {
    /// Returns the address of the listener, for people.
    fn address(&self) -> String {
        match self {
            Self::Tcp(listener) => address_of(&SockRef::from(listener)),
            Self::Unix(listener) => address_of(&SockRef::from(listener)),
        }
    }

    /// Sets the listener to non-blocking. Returns whether it listens.
    fn prepare(&self) -> io::Result<bool> {
        let socket = match self {
            Self::Tcp(listener) => SockRef::from(listener),
            Self::Unix(listener) => SockRef::from(listener),
        };
        socket.set_nonblocking(true)?;
        #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
        return socket.is_listener();
        #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
        Ok(true)
    }
}

impl ParentVariables {
    fn read() -> Self {
        let variable = |name| env::var(name).ok().filter(|value| !value.is_empty());
        let first = variable("LISTEN_FDS_FIRST_FD").and_then(|first| first.parse().ok());
        Self {
            fds: variable("LISTEN_FDS"),
            pid: variable("LISTEN_PID"),
            names: variable("LISTEN_FDNAMES"),
            first,
        }
    }

    /// Returns the places in the list of the listener with this number, or of each one with this
    /// name.
    fn places(&self, which: &str, own: u32) -> Result<Vec<usize>, String> {
        let Some(fds) = &self.fds else {
            return Err("LISTEN_FDS is not set: the parent has left no listener open".to_owned());
        };
        let Ok(count) = fds.parse::<usize>() else {
            return Err(format!("LISTEN_FDS={fds} is no number"));
        };
        if let Some(pid) = self.pid.as_ref().filter(|pid| pid.parse() != Ok(own)) {
            return Err(format!(
                "LISTEN_PID is {pid}, and this process is {own}: the listeners \
                 are for that one, and there may be a shell or a wrapper in between, \
                 which should `exec` this program"
            ));
        }
        let first = self.first.unwrap_or(3);
        if is_number(which) {
            let place = which.parse::<usize>().ok().and_then(|number| number.checked_sub(first));
            return match place.filter(|place| *place < count) {
                Some(place) => Ok(vec![place]),
                None if count == 0 => {
                    Err("LISTEN_FDS=0: the parent has left no listener open".to_owned())
                }
                None => Err(format!(
                    "LISTEN_FDS={count}: it has {first} to {}",
                    first.saturating_add(count - 1)
                )),
            };
        }
        let names = self.names.iter().flat_map(|names| names.split(':')).take(count).enumerate();
        let places: Vec<_> =
            names.filter(|(_, name)| *name == which).map(|(place, _)| place).collect();
        match &self.names {
            _ if !places.is_empty() => Ok(places),
            Some(names) => Err(format!("no listener is named `{which}`: LISTEN_FDNAMES={names}")),
            None => Err(format!("no listener is named `{which}`: LISTEN_FDNAMES is not set")),
        }
    }
}
