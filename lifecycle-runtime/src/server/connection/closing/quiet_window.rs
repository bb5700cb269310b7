//! Silence of a client, after which its connection may end.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::Instant;

use super::ClosingTimes;
use crate::server::tcp_info::{Peer, PollTimes, TcpInfo};

/// Number of round trips that a quiet connection is given on top of the quiet window. In that time,
/// a request that was lost on its way may be sent again.
const ROUND_TRIPS: u32 = 3;

/// Shortest pause before the next look at a connection whose unread bytes must be read first. Its
/// reader is in this process and only needs a step of the async runtime. On a busy machine pauses
/// grow with the time that the reader takes.
const UNREAD: Duration = Duration::from_millis(1);

/// Judgement of a client's silence.
pub(super) enum Silence {
    /// Bytes may still come. Nothing changes before this moment unless they do.
    TooShort { look_at: Instant },
    /// Nothing has come for long enough.
    LongEnough,
    /// The client has had its time for a request's head, or it has vanished.
    TooLate,
}

/// Record of the client's last bytes, kept once connections are being closed.
#[derive(Default)]
pub(in crate::server::connection) struct ClientSilence {
    /// Time at which bytes were last read.
    received_at: Cell<Option<Instant>>,
    /// Time since which bytes have come that nobody has read.
    unread_since: Cell<Option<Instant>>,
}

impl ClientSilence {
    /// Ends the silence, as bytes have been read just now.
    pub(in crate::server::connection) fn end(&self) {
        self.received_at.set(Some(Instant::now()));
        self.unread_since.set(None);
    }

    /// Judges the silence of a client that could use the connection since this moment. It is long
    /// enough after the quiet window and a few round trips.
    pub(super) fn judge(&self, since: Instant, times: &ClosingTimes, peer: &dyn Peer) -> Silence {
        let since = times.since.max(since);
        let now = Instant::now();
        if now < since + times.quiet_window {
            return Silence::TooShort { look_at: since + times.quiet_window };
        }
        let silent_for = self.received_at.get().map(|at| now - at);
        // Bytes that came while the process could not read them are not late. (A client that sends
        // without a pause has been read just now. And the bytes may stay unread, if nobody reads
        // from the connection any more.)
        if silent_for.is_none_or(|silent_for| silent_for > times.quiet_window) && peer.has_unread()
        {
            let seen = self.unread_since.get().unwrap_or(now);
            self.unread_since.set(Some(seen));
            if now < seen + times.head.unwrap_or(times.disconnect) {
                let pause = ((now - seen) / 2).clamp(UNREAD, PollTimes::LONGEST);
                return Silence::TooShort { look_at: now + pause };
            }
        }
        let latest = times.head.map(|head| since + head.max(times.quiet_window));
        if latest.is_some_and(|latest| latest <= now) {
            return Silence::TooLate;
        }
        let info = peer.info().unwrap_or(TcpInfo {
            silent_for: silent_for.unwrap_or(Duration::MAX),
            ..TcpInfo::default()
        });
        if info.has_vanished(times.disconnect) {
            return Silence::TooLate;
        }
        let left = if info.is_unacknowledged() {
            info.poll_interval()
        } else {
            let quiet_for = info.silent_for.min(now - since);
            (times.quiet_window + ROUND_TRIPS * info.round_trip).saturating_sub(quiet_for)
        };
        // A timer is not more precise than that.
        if left < Duration::from_millis(1) {
            return Silence::LongEnough;
        }
        Silence::TooShort { look_at: latest.map_or(now + left, |latest| latest.min(now + left)) }
    }
}
