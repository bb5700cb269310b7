//! Terminal of the process, as stderr reaches it.

use super::screen::Size;

#[cfg(not(unix))]
pub(super) use other::{TerminalLock, accepts, access, write};
#[cfg(unix)]
pub(super) use unix::{TerminalLock, accepts, access, write};

/// Access of the process to its terminal now.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum TerminalAccess {
    /// The terminal is somebody else's: the process is in the background, where a write would go
    /// into another program's screen, or stop the process (`stty tostop`); or it has another
    /// terminal, or none.
    Background,
    /// There is no room for more than the output.
    TooSmall,
    /// The process may draw on a terminal of this size.
    Foreground(Size),
}

#[cfg(unix)]
mod unix {
    use std::fs::File;

    use rustix::process::getpgrp;
    use rustix::stdio::stderr;
    use rustix::termios::{tcgetpgrp, tcgetwinsize};

    use super::super::super::lines::LineOutput;
    use super::super::super::stderr::{Stderr, is_writable_now};
    use super::super::screen::Size;
    use super::TerminalAccess;

    /// Smallest terminal that has room for more than the output.
    const SMALLEST: Size = Size { rows: 8, columns: 30 };

    /// Returns the access to the terminal.
    pub(in super::super) fn access() -> TerminalAccess {
        if tcgetpgrp(stderr()) != Ok(getpgrp()) {
            return TerminalAccess::Background;
        }
        let Ok(size) = tcgetwinsize(stderr()) else { return TerminalAccess::TooSmall };
        let size = Size { rows: size.ws_row, columns: size.ws_col };
        let has_room = size.rows >= SMALLEST.rows && size.columns >= SMALLEST.columns;
        if has_room { TerminalAccess::Foreground(size) } else { TerminalAccess::TooSmall }
    }

    /// Lock on the terminal among all processes on it. The system releases it with the process.
    pub(in super::super) struct TerminalLock {
        _terminal: File,
    }

    impl TerminalLock {
        /// Takes the lock, unless somebody else has it.
        pub(in super::super) fn take() -> Option<Self> {
            // A lock belongs to what `open` returns, and stderr is shared with the parent.
            let terminal = File::open("/dev/stderr").ok()?;
            terminal.try_lock().ok()?;
            Some(Self { _terminal: terminal })
        }
    }

    /// Returns `true` if the terminal takes text now: nobody has stopped its output.
    pub(in super::super) fn accepts() -> bool {
        is_writable_now()
    }

    /// Writes a text in one piece.
    pub(in super::super) fn write(text: &str) {
        if !text.is_empty() {
            Stderr::new().write(text.as_bytes());
        }
    }
}

#[cfg(not(unix))]
mod other {
    use super::TerminalAccess;

    /// Lock on a terminal that has no live lines.
    pub(in super::super) struct TerminalLock;

    impl TerminalLock {
        pub(in super::super) fn take() -> Option<Self> {
            None
        }
    }

    pub(in super::super) fn access() -> TerminalAccess {
        TerminalAccess::Background
    }

    pub(in super::super) fn accepts() -> bool {
        false
    }

    pub(in super::super) fn write(_: &str) {}
}
