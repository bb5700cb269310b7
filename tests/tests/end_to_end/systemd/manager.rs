//! Service manager that a test takes the place of.

use std::io::{ErrorKind, IoSliceMut};
use std::os::fd::{AsRawFd, RawFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::atomic::{AtomicUsize, Ordering};

use nix::cmsg_space;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use tempfile::TempDir;

use crate::harness::{LIMIT, Program, Start};

/// Socket for notifications, which the test reads.
pub(crate) struct Manager {
    socket: UnixDatagram,
    name: String,
    _folder: TempDir,
}

impl Manager {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).expect("a free place");
        Self::with(socket, path.display().to_string(), folder)
    }

    /// Makes one whose socket has an abstract name.
    pub(crate) fn with_abstract_name() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("lifecycle-test-{}-{number}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("a name");
        let socket = UnixDatagram::bind_addr(&address).expect("a free name");
        Self::with(socket, format!("@{name}"), tempfile::tempdir().expect("a folder"))
    }

    fn with(socket: UnixDatagram, name: String, folder: TempDir) -> Self {
        socket.set_read_timeout(Some(LIMIT)).expect("a socket");
        Self { socket, name, _folder: folder }
    }

    /// Starts a program that notifies this service manager.
    #[track_caller]
    pub(crate) fn start(&self, start: Start) -> Program {
        self.notified(start).start()
    }

    /// Has a program notify this service manager.
    pub(crate) fn notified(&self, start: Start) -> Start {
        start.env("NOTIFY_SOCKET", &self.name)
    }

    /// Returns the lines of all messages up to the one with a line that begins with this.
    #[track_caller]
    pub(crate) fn until(&self, begin: &str) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        while !lines.iter().any(|line| line.starts_with(begin)) {
            let mut message = [0; 4096];
            match self.socket.recv(&mut message) {
                Ok(length) => lines.extend(lines_of(&message[..length])),
                Err(error) => panic!("{error}, no {begin} behind {lines:#?}"),
            }
        }
        lines
    }

    /// Returns the lines of all messages that have come and have not been read.
    #[track_caller]
    pub(crate) fn read_what_waits(&self) -> Vec<String> {
        let mut lines = Vec::new();
        self.socket.set_nonblocking(true).expect("a socket");
        let error = loop {
            let mut message = [0; 4096];
            match self.socket.recv(&mut message) {
                Ok(length) => lines.extend(lines_of(&message[..length])),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
        self.socket.set_nonblocking(false).expect("a socket");
        lines
    }

    /// Waits for the next descriptor that is to be kept, and returns its name and its number. It
    /// stays open, and programs that are started inherit it.
    #[track_caller]
    pub(crate) fn next_stored(&self) -> (String, RawFd) {
        loop {
            let mut text = [0; 4096];
            let mut control = cmsg_space!([RawFd; 1]);
            let mut parts = [IoSliceMut::new(&mut text)];
            let own = self.socket.as_raw_fd();
            let flags = MsgFlags::empty();
            let message = recvmsg::<()>(own, &mut parts, Some(&mut control), flags);
            let message = message.expect("a message");
            let length = message.bytes;
            let number = message.cmsgs().expect("room for it").find_map(|part| match part {
                ControlMessageOwned::ScmRights(numbers) => numbers.first().copied(),
                _ => None,
            });
            let lines: Vec<_> = lines_of(&text[..length]).collect();
            let name = lines.iter().find_map(|line| line.strip_prefix("FDNAME="));
            if let (Some(name), Some(number)) = (name, number) {
                assert_eq!(lines[0], "FDSTORE=1");
                return (name.to_owned(), number);
            }
        }
    }
}

fn lines_of(message: &[u8]) -> impl Iterator<Item = String> {
    let text = String::from_utf8(message.to_vec()).expect("a text");
    text.lines().map(str::to_owned).collect::<Vec<_>>().into_iter()
}
