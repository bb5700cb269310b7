//! Descriptors in reserve. With them, the probes are answered even when the process has no
//! descriptor left.

use std::io;
#[cfg(unix)]
use std::os::unix::net::UnixDatagram;

#[cfg(not(unix))]
use std::convert::Infallible as UnixDatagram;

/// Reserve of descriptors for connections that could not be accepted otherwise.
pub(super) struct Reserve {
    held: Vec<UnixDatagram>,
    size: usize,
}

impl Reserve {
    /// Returns a reserve of this many descriptors, or of as many as there are.
    pub(super) fn new(size: usize) -> Self {
        let mut reserve = Self { held: Vec::with_capacity(size), size };
        reserve.fill();
        reserve
    }

    pub(super) fn is_full(&self) -> bool {
        self.held.len() >= self.size
    }

    /// Gives a descriptor back to the system, if the error says that none is left and the reserve
    /// holds one. Returns whether it did.
    pub(super) fn spend(&mut self, error: &io::Error) -> bool {
        is_without_descriptor(error) && self.held.pop().is_some()
    }

    /// Takes back the descriptors that were spent, as far as the system has some.
    #[cfg(unix)]
    pub(super) fn fill(&mut self) {
        while !self.is_full() {
            // A socket that nobody can reach is little more than a descriptor.
            let Ok(socket) = UnixDatagram::unbound() else { return };
            self.held.push(socket);
        }
    }

    /// Sets the size to zero: without descriptors there is nothing to spend.
    #[cfg(not(unix))]
    pub(super) fn fill(&mut self) {
        self.size = 0;
    }
}

/// Returns whether the process, or the system, has no descriptor left: see accept(2), "EMFILE" and
/// "ENFILE".
#[cfg(unix)]
fn is_without_descriptor(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let without = [Errno::MFILE, Errno::NFILE];
    error
        .raw_os_error()
        .is_some_and(|code| without.iter().any(|errno| errno.raw_os_error() == code))
}

/// Returns whether the process, or the system, has no descriptor left.
#[cfg(not(unix))]
fn is_without_descriptor(_error: &io::Error) -> bool {
    false
}
