//! Listeners that the process was started with: a parent keeps them open while one process follows another.

use std::io;
use std::net::TcpListener;
use std::sync::{LazyLock, Mutex, PoisonError};

use listenfd::ListenFd;

/// What `LISTEN_FDS` says that the parent has left open. There is one such list for the process, and each is taken once.
static LEFT_OPEN: LazyLock<Mutex<ListenFd>> = LazyLock::new(|| Mutex::new(ListenFd::from_env()));

/// Where the list begins.
const FIRST: usize = 3;

/// Takes the listener with this number.
pub(super) fn take(number: &str) -> io::Result<TcpListener> {
    let first = std::env::var("LISTEN_FDS_FIRST_FD").ok().and_then(|first| first.parse().ok()).unwrap_or(FIRST);
    let place = number.parse::<usize>().ok().and_then(|number| number.checked_sub(first));
    let place = place.ok_or_else(|| missing("it is no number of such a listener, which are counted from 3"))?;
    let taken = LEFT_OPEN.lock().unwrap_or_else(PoisonError::into_inner).take_tcp_listener(place)?;
    let listener = taken.ok_or_else(|| {
        missing(
            "the parent has left none open there, or another address has taken it; LISTEN_FDS says how many there are",
        )
    })?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn missing(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, reason)
}
