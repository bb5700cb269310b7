//! Notifications that wait to be sent.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::time::Duration;

use socket2::Socket;

use crate::hook::error::printable;

/// Longest text of a state, in bytes. systemd ignores a message of more than 4096.
const LONGEST_STATUS: usize = 2048;

/// First line of a message about a reload.
const RELOADING: &str = "RELOADING=1\n";

/// Begin of the line with the text of a state.
const STATUS: &str = "STATUS=";

/// Queue of the notifications that wait to be sent. The service manager acts on each change, so
/// changes are kept in their order; of everything else only the latest is kept.
#[derive(Default)]
pub(super) struct NotificationQueue {
    changes: VecDeque<Notification>,
    status: Option<String>,
    extension: Option<Duration>,
    is_alive: bool,
}

/// Message about a change.
pub(super) struct Notification {
    pub(super) text: String,
    /// Socket that is sent with it.
    pub(super) socket: Option<Socket>,
}

impl NotificationQueue {
    pub(super) fn is_empty(&self) -> bool {
        self.first().is_none()
    }

    /// Adds a change. If it has a status, what waits about the state before is left out.
    pub(super) fn add(&mut self, change: Notification) {
        if change.text.contains(STATUS) {
            (self.status, self.extension) = (None, None);
        }
        self.changes.push_back(change);
    }

    /// Adds the begin of a reload. An earlier reload that has not been sent is left out, so that
    /// the queue stays short.
    pub(super) fn add_reload(&mut self, text: String) {
        let last = self.changes.len().saturating_sub(2);
        if self.changes.get(last).is_some_and(|change| change.text.starts_with(RELOADING)) {
            self.changes.truncate(last);
        }
        self.add(Notification { text, socket: None });
    }

    pub(super) fn set_status(&mut self, status: &str) {
        self.status = Some(status_line(status));
    }

    pub(super) fn set_extension(&mut self, time: Duration) {
        self.extension = Some(time);
    }

    pub(super) fn set_alive(&mut self) {
        self.is_alive = true;
    }

    /// Returns the next message, with the socket that belongs to it. It stays in the queue until it
    /// is [sent](Self::sent).
    pub(super) fn first(&self) -> Option<(Cow<'_, str>, Option<&Socket>)> {
        if let Some(change) = self.changes.front() {
            return Some((Cow::Borrowed(&change.text), change.socket.as_ref()));
        }
        let mut text = self.status.clone().unwrap_or_default();
        text.extend(self.extension.map(extension_line));
        text.push_str(if self.is_alive { "WATCHDOG=1\n" } else { "" });
        (!text.is_empty()).then_some((Cow::Owned(text), None))
    }

    /// Removes the message that [`first`](Self::first) returns.
    pub(super) fn sent(&mut self) {
        if self.changes.pop_front().is_none() {
            *self = Self::default();
        }
    }
}

/// Returns the line of a message that sets the status.
pub(super) fn status_line(status: &str) -> String {
    let text = printable(status).split_whitespace().collect::<Vec<_>>().join(" ");
    let end = text.floor_char_boundary(LONGEST_STATUS);
    format!("{STATUS}{}\n", &text[..end])
}

/// Returns the line of a message that asks for time.
pub(super) fn extension_line(time: Duration) -> String {
    format!("EXTEND_TIMEOUT_USEC={}\n", time.as_micros())
}
