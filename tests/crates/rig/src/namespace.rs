//! Network namespaces: a thread is in one, and so is everything that it opens, spawns and starts.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket,
};

/// Handle of a network namespace, which exists as long as a handle, a thread, a socket or a process
/// in it.
#[derive(Clone)]
pub struct Namespace(Arc<File>);

impl Namespace {
    /// Makes a new namespace and sets it up from inside.
    pub(super) fn with<T: Send>(
        set_up: impl FnOnce() -> io::Result<T> + Send,
    ) -> io::Result<(Self, T)> {
        on_thread(|| {
            unshare(CloneFlags::CLONE_NEWNET)?;
            let value = set_up()?;
            Ok((Self(Arc::new(File::open("/proc/thread-self/ns/net")?)), value))
        })
    }

    /// Moves the calling thread into the namespace.
    fn enter(&self) {
        setns(&*self.0, CloneFlags::CLONE_NEWNET)
            .expect("whoever could make the namespace can enter it");
    }

    /// Runs a closure on a thread in the namespace, and returns its value once it has ended.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        on_thread(|| {
            self.enter();
            work()
        })
    }

    /// Starts a thread in the namespace.
    pub fn spawn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        let namespace = self.clone();
        thread::spawn(move || {
            namespace.enter();
            work()
        })
    }
}

fn on_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(work).join()).unwrap_or_else(|panic| resume_unwind(panic))
}

/// Brings up the loopback device of the calling thread's namespace, by an `RTM_NEWLINK` message
/// (rtnetlink(7)).
pub(super) fn bring_loopback_up() -> io::Result<()> {
    const RTM_NEWLINK: u16 = 16;
    const REQUEST_AND_ACKNOWLEDGE: u16 = 1 | 4;
    const LOOPBACK: i32 = 1;
    const UP: u32 = 1;
    const HEADER: usize = 16;

    let socket = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkRoute,
    )?;
    let mut message = Vec::new();
    // nlmsghdr: length, type, flags, sequence number, port.
    message.extend(32_u32.to_ne_bytes());
    message.extend(RTM_NEWLINK.to_ne_bytes());
    message.extend(REQUEST_AND_ACKNOWLEDGE.to_ne_bytes());
    message.extend([1_u32, 0].map(u32::to_ne_bytes).concat());
    // ifinfomsg: family, type, index, flags, and which of the flags to change.
    message.extend(0_u32.to_ne_bytes());
    message.extend(LOOPBACK.to_ne_bytes());
    message.extend([UP, UP].map(u32::to_ne_bytes).concat());
    send(socket.as_raw_fd(), &message, MsgFlags::empty())?;
    let mut answer = [0; 64];
    let length = recv(socket.as_raw_fd(), &mut answer, MsgFlags::empty())?;
    // nlmsgerr: an error number, negative, or zero.
    let Some(&[a, b, c, d]) = answer[..length].get(HEADER..HEADER + 4) else {
        return Err(io::Error::other("the kernel's answer to RTM_NEWLINK is too short"));
    };
    match i32::from_ne_bytes([a, b, c, d]) {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(-error)),
    }
}
