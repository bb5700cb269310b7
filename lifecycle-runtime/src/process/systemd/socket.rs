//! Socket that a service manager reads notifications from.

#[cfg(not(target_os = "linux"))]
pub(super) use elsewhere::{NotifySocket, monotonic_micros};
#[cfg(target_os = "linux")]
pub(super) use linux::{NotifySocket, monotonic_micros};

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::OsStr;
    use std::io::{self, IoSlice};
    use std::os::fd::AsRawFd;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::net::UnixDatagram;
    use std::time::Duration;

    use nix::errno::Errno;
    use nix::sys::socket::{ControlMessage, MsgFlags, UnixAddr, sendmsg};
    use nix::time::{ClockId, clock_gettime};
    use socket2::Socket;

    /// Socket of our own, and the address of the service manager's.
    pub(in super::super) struct NotifySocket {
        own: UnixDatagram,
        address: UnixAddr,
        name: String,
    }

    impl NotifySocket {
        /// Makes a socket for this address: a path, or an abstract name behind an `@`. Nothing has
        /// to be there yet.
        pub(in super::super) fn new(name: &OsStr) -> io::Result<Self> {
            let address = match name.as_bytes() {
                [b'@', name @ ..] => UnixAddr::new_abstract(name)?,
                [b'/', ..] => UnixAddr::new(name)?,
                _ => return Err(io::Error::other("neither a path nor an abstract name")),
            };
            let name = name.to_string_lossy().into_owned();
            Ok(Self { own: UnixDatagram::unbound()?, address, name })
        }

        pub(in super::super) fn name(&self) -> &str {
            &self.name
        }

        /// Sends a message, with a socket that belongs to it.
        ///
        /// # Errors
        ///
        /// The system's error: `WouldBlock` if the service manager reads nothing.
        pub(in super::super) fn send(
            &self,
            text: &str,
            attached: Option<&Socket>,
        ) -> io::Result<()> {
            let numbers: Vec<_> = attached.iter().map(|socket| socket.as_raw_fd()).collect();
            let rights = [ControlMessage::ScmRights(&numbers)];
            let rights = if attached.is_some() { &rights[..] } else { &[] };
            let text = [IoSlice::new(text.as_bytes())];
            let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
            loop {
                let own = self.own.as_raw_fd();
                match sendmsg(own, &text, rights, flags, Some(&self.address)) {
                    Ok(_) => return Ok(()),
                    Err(Errno::EINTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }

    /// Returns the time of the system's monotonic clock, in microseconds.
    pub(in super::super) fn monotonic_micros() -> Option<u128> {
        let now = clock_gettime(ClockId::CLOCK_MONOTONIC).ok()?;
        Some(Duration::from(now).as_micros())
    }
}

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use std::ffi::OsStr;
    use std::io;

    use socket2::Socket;

    /// Socket on a system without systemd: there is none.
    pub(in super::super) enum NotifySocket {}

    impl NotifySocket {
        pub(in super::super) fn new(_: &OsStr) -> io::Result<Self> {
            Err(io::Error::other("only Linux has such a service manager"))
        }

        pub(in super::super) fn name(&self) -> &str {
            match *self {}
        }

        pub(in super::super) fn send(&self, _: &str, _: Option<&Socket>) -> io::Result<()> {
            match *self {}
        }
    }

    pub(in super::super) fn monotonic_micros() -> Option<u128> {
        None
    }
}
