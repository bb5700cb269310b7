//! Messages between a predecessor and its successor.

use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Message of a successor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum SuccessorMessage {
    /// The process is a successor.
    Starting {
        /// Time that its start may take.
        startup_timeout: Duration,
    },
    /// The start is over, and no connection is accepted yet.
    Ready,
    /// Connections are accepted from now on.
    Serving,
    /// The start has failed.
    Failed { error: String },
}

/// Message of a predecessor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum PredecessorMessage {
    /// The successor may accept connections, and the predecessor will stop.
    TakeOver,
    /// The predecessor goes on, and the successor has to end.
    GiveUp,
}

/// Sends a message.
///
/// # Errors
///
/// The system's error, if the other process is gone.
pub(super) fn send(mut channel: &UnixStream, message: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    channel.write_all(&line)
}

/// Returns the message that a line has; `None` if it has none.
pub(super) fn parse<'l, T: Deserialize<'l>>(line: &'l [u8]) -> Option<T> {
    serde_json::from_slice(line).ok()
}
