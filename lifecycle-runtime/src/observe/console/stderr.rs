//! Stderr as an output, which may be a pipe that nobody reads, a terminal that stands still, or a
//! file.
//!
//! Other processes share it, and it would become nonblocking for all of them, so this code leaves
//! it blocking. It also bypasses the standard library's lock, which a thread that blocks on stderr
//! holds.

#[cfg(not(unix))]
pub(super) use other::{Stderr, is_journal};
#[cfg(unix)]
pub(super) use unix::{Stderr, is_journal, is_writable_now};

#[cfg(unix)]
mod unix {
    use std::io::IsTerminal;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::fs::fstat;
    use rustix::io::{Errno, write};
    use rustix::stdio::stderr;

    use super::super::lines::{LineOutput, PIECE};

    /// Variable with the device and the inode of the stream to the journal, if there is one.
    const JOURNAL_STREAM: &str = "JOURNAL_STREAM";

    const NOW: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

    /// Stderr of the process.
    pub(in super::super) struct Stderr {
        is_terminal: bool,
    }

    impl Stderr {
        pub(in super::super) fn new() -> Self {
            Self { is_terminal: std::io::stderr().is_terminal() }
        }
    }

    impl LineOutput for Stderr {
        fn write_now(&self, text: &[u8]) -> usize {
            // A terminal accepts single bytes, so that a part of a line may block.
            if self.is_terminal || text.len() > PIECE {
                return 0;
            }
            loop {
                match write_without_blocking(text) {
                    Ok(written) => return written,
                    Err(Errno::INTR) => {}
                    Err(Errno::AGAIN) => return 0,
                    // A reader that has gone away is no reason to end a service.
                    Err(_) => return text.len(),
                }
            }
        }

        fn write(&self, mut rest: &[u8]) {
            while !rest.is_empty() {
                match write(stderr(), rest) {
                    Ok(0) => return,
                    Ok(written) => rest = &rest[written..],
                    Err(Errno::INTR) => {}
                    // A process that shares it has made it nonblocking.
                    Err(Errno::AGAIN) if is_writable(None) => {}
                    Err(_) => return,
                }
            }
        }

        fn is_awaited(&self) -> bool {
            self.is_terminal
        }
    }

    /// Returns whether stderr is the stream to the journal that the service manager has opened. A
    /// program that inherits the variable may have another stderr. See `systemd.exec(5)`.
    pub(in super::super) fn is_journal() -> bool {
        let Ok(stream) = std::env::var(JOURNAL_STREAM) else { return false };
        fstat(stderr()).is_ok_and(|own| stream == format!("{}:{}", own.st_dev, own.st_ino))
    }

    /// Writes a piece, or returns `AGAIN` if that would block.
    fn write_without_blocking(piece: &[u8]) -> rustix::io::Result<usize> {
        #[cfg(target_os = "linux")]
        {
            use std::io::IoSlice;

            use rustix::io::{ReadWriteFlags, pwritev2};

            /// Offset that stands for the file's own position, as with `write`.
            const HERE: u64 = u64::MAX;
            match pwritev2(stderr(), &[IoSlice::new(piece)], HERE, ReadWriteFlags::NOWAIT) {
                // This kind of file or this kernel doesn't support it.
                Err(Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS | Errno::SPIPE) => {}
                written => return written,
            }
        }
        // A writable output accepts a piece of this size, unless another process is faster.
        if is_writable_now() { write(stderr(), piece) } else { Err(Errno::AGAIN) }
    }

    /// Returns `true` if stderr can be written to now.
    pub(in super::super) fn is_writable_now() -> bool {
        is_writable(Some(&NOW))
    }

    /// Waits until stderr can be written to, at most for `at_most`. Returns `true` if it can, or
    /// never will.
    fn is_writable(at_most: Option<&Timespec>) -> bool {
        let stderr = stderr();
        poll(&mut [PollFd::new(&stderr, PollFlags::OUT)], at_most) != Ok(0)
    }
}

#[cfg(not(unix))]
mod other {
    use std::io::Write;

    use super::super::lines::LineOutput;

    /// Stderr of the process.
    pub(in super::super) struct Stderr;

    impl Stderr {
        pub(in super::super) fn new() -> Self {
            Self
        }
    }

    impl LineOutput for Stderr {
        fn write_now(&self, _: &[u8]) -> usize {
            0
        }

        fn write(&self, text: &[u8]) {
            let mut stderr = std::io::stderr();
            let _ = stderr.write_all(text).and_then(|()| stderr.flush());
        }

        fn is_awaited(&self) -> bool {
            true
        }
    }

    pub(in super::super) fn is_journal() -> bool {
        false
    }
}
