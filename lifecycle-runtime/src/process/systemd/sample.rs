//! Service manager for tests, which reads what it is sent.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::Notifier;
use super::variables::ManagerVariables;

/// Longest wait of a test.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// Service manager with a socket of an abstract name.
pub(crate) struct SampleManager {
    socket: UnixDatagram,
    pub(super) name: String,
}

impl SampleManager {
    pub(crate) fn new() -> Self {
        Self::named(free_name())
    }

    pub(super) fn named(name: String) -> Self {
        let socket = UnixDatagram::bind_addr(&address(&name)).expect("a free name");
        socket.set_read_timeout(Some(LONG)).expect("a socket");
        Self { socket, name }
    }

    pub(crate) fn notifier(&self) -> Notifier {
        notifier(&self.name)
    }

    /// Returns the next message.
    pub(crate) fn next(&self) -> String {
        let mut message = [0; 4096];
        let length = self.socket.recv(&mut message).expect("a message");
        String::from_utf8(message[..length].to_vec()).expect("a text")
    }

    /// Returns the lines of the next messages, up to the message that has this line.
    pub(crate) fn lines_until(&self, line: &str) -> Vec<String> {
        let mut lines = Vec::new();
        while !lines.iter().any(|known| known == line) {
            lines.extend(self.next().lines().map(str::to_owned));
        }
        lines
    }
}

/// Returns an abstract name that no other test has.
pub(super) fn free_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("lifecycle-unit-test-{}-{number}", std::process::id())
}

pub(super) fn address(name: &str) -> SocketAddr {
    SocketAddr::from_abstract_name(name).expect("a name")
}

/// Returns the notifier for the service manager of this name.
pub(super) fn notifier(name: &str) -> Notifier {
    let socket = Some(format!("@{name}").into());
    Notifier::of(&ManagerVariables { socket, ..ManagerVariables::default() }).expect("a thread")
}
