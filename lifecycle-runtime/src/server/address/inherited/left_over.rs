//! Listeners that no address of the program takes, and lines about the parent's listeners.

use std::io;
use std::sync::PoisonError;

use listenfd::ListenFd;
use socket2::{SockAddr, Socket};

use super::super::stored;
use super::{LEFT_OPEN, ParentVariables};
use crate::event::listed;
use crate::process::systemd::Notifier;

/// Returns lines about the listeners that the parent has left open: those that nobody has taken,
/// and those that others may be in the place of at the next start. Listeners that nobody has taken
/// are not inherited by children from now on, and the service manager closes those that it keeps
/// for an address that is no longer one of the program's.
pub(crate) fn parent_listeners(notifier: &Notifier) -> Vec<String> {
    let (variables, left_open) = &*LEFT_OPEN;
    let mut left_open = left_open.lock().unwrap_or_else(PoisonError::into_inner);
    let mut left_over = Vec::new();
    let mut lines = Vec::new();
    for place in 0..variables.count(std::process::id()) {
        let name = variables.name(place).unwrap_or_default();
        let number = variables.number(place);
        match take_any(&mut left_open.list, place) {
            Ok(None) => {}
            Ok(Some(socket)) if stored::is_stored_name(name) => {
                let address = address_of(&socket);
                lines.push(format!("{address} is no address of this program any more: closed"));
                notifier.forget(name);
            }
            Ok(Some(socket)) => {
                left_over.push(described(number, name, &address_of(&socket)));
                left_open.left_over.push(socket);
            }
            Err(error) => left_over.push(described(number, name, &error.to_string())),
        }
    }
    if !left_over.is_empty() {
        lines.push(format!(
            "nothing takes what the parent has left open: {}; `bind` and `admin` take fd:NUMBER \
             and fd:NAME",
            listed(&left_over, ", ")
        ));
    }
    lines.extend(variables.swappable(&left_open.by_number));
    lines
}

/// Returns the description of a listener.
fn described(number: usize, name: &str, address: &str) -> String {
    let name = if name.is_empty() { String::new() } else { format!("`{name}`, ") };
    format!("fd:{number} ({name}{address})")
}

/// Takes a socket of whatever type. From then on children don't inherit it.
///
/// # Errors
///
/// Fails if it is none.
fn take_any(list: &mut ListenFd, place: usize) -> io::Result<Option<Socket>> {
    if let Ok(socket) = list.take_tcp_listener(place) {
        return Ok(socket.map(Socket::from));
    }
    if let Ok(socket) = list.take_unix_listener(place) {
        return Ok(socket.map(Socket::from));
    }
    if let Ok(socket) = list.take_unix_datagram(place) {
        return Ok(socket.map(Socket::from));
    }
    list.take_udp_socket(place).map(|socket| socket.map(Socket::from))
}

/// Returns the address of a socket, for people.
pub(in crate::server) fn address_of(socket: &Socket) -> String {
    let address = socket.local_addr().ok();
    let text = |address: &SockAddr| {
        let tcp = address.as_socket().map(|address| address.to_string());
        let path = || address.as_pathname().map(|path| format!("unix:{}", path.display()));
        let name = || {
            let name = address.as_abstract_namespace()?;
            Some(format!("unix:@{}", String::from_utf8_lossy(name)))
        };
        tcp.or_else(path).or_else(name)
    };
    address.as_ref().and_then(text).unwrap_or_else(|| "a socket without an address".to_owned())
}

impl ParentVariables {
    /// Returns the number of listeners that are for this process.
    fn count(&self, own: u32) -> usize {
        let is_for_another = self.pid.as_ref().is_some_and(|pid| pid.parse() != Ok(own));
        let count = self.fds.as_ref().filter(|_| !is_for_another);
        count.and_then(|count| count.parse().ok()).unwrap_or(0)
    }

    /// Returns the number of the listener at a place.
    fn number(&self, place: usize) -> usize {
        self.first.unwrap_or(3) + place
    }

    /// Returns the name of the listener at a place, if it has one.
    fn name(&self, place: usize) -> Option<&str> {
        self.names.as_ref()?.split(':').nth(place)
    }

    /// Returns a line about listeners that were taken by their numbers, each with its place and its
    /// address; `None` if they can't stand in each other's place. systemd starts the units of
    /// several names in no fixed order.
    pub(super) fn swappable(&self, by_number: &[(usize, String)]) -> Option<String> {
        let is_stored = |name: &str| stored::is_stored_name(name);
        let mut names: Vec<_> = self.names.iter().flat_map(|names| names.split(':')).collect();
        names.retain(|name| !is_stored(name));
        names.sort_unstable();
        names.dedup();
        if names.len() < 2 || by_number.is_empty() {
            return None;
        }
        let taken = |(place, address): &(usize, String)| {
            let name = self.name(*place).unwrap_or_default();
            format!("fd:{} is `{name}` ({address})", self.number(*place))
        };
        let taken: Vec<_> = by_number.iter().map(taken).collect();
        let names: Vec<_> = names.iter().map(|name| format!("fd:{name}")).collect();
        Some(format!(
            "{}: another start may have another order; take listeners by name: {}",
            listed(&taken, ", "),
            listed(&names, ", ")
        ))
    }
}
