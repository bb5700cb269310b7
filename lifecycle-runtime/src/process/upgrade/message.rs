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
        /// Process id of the successor, unless it is of a version that does not tell it.
        #[serde(default)]
        process: Option<u32>,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_successor_of_another_version_may_tell_no_process_id_and_more_than_is_known() {
        let startup_timeout = Duration::from_secs(30);
        let message = SuccessorMessage::Starting { startup_timeout, process: Some(4_711) };
        let line = serde_json::to_vec(&message).expect("JSON");
        assert_eq!(parse(&line), Some(message));
        let line = br#"{"Starting":{"startup_timeout":{"secs":30,"nanos":0},"later":1}}"#;
        let message = SuccessorMessage::Starting { startup_timeout, process: None };
        assert_eq!(parse(line), Some(message));
    }
}
