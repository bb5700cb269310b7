//! End of a WebSocket (RFC 6455). The server sends the client a Close between two messages, once
//! the handler waits for the next one.
//!
//! Nothing else would tell the clients: a handler has no reason to listen for the end of the
//! process, and actix-http knows no WebSocket frames once a connection is upgraded. So this module
//! wraps the body of the response and the payload of the request. The body takes in the server's
//! Close, and the payload shows what the handler is doing.

mod body;
mod frames;
mod handler_end;
mod payload;
#[cfg(test)]
pub(in crate::server) mod sample;
#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::task::{Poll, Waker};
use std::time::Duration;

use actix_web::web::Bytes;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::InFlight;
pub(in crate::server) use body::WebSocketBody;
use frames::MessageReader;
pub(in crate::server) use payload::observe;

/// Close frame with "an endpoint is going away, such as a server going down" (RFC 6455, section
/// 7.4.1).
const GOING_AWAY: &[u8] = &[0x88, 2, 0x03, 0xe9];

/// Time of silence after a handler's last message. After that the handler counts as having answered
/// what it had got. It does not run while the client takes nothing, so the round trip doesn't
/// matter. A handler that takes longer between two messages, if only because the machine is busy,
/// has the Close sent between them.
const ANSWERED: Duration = Duration::from_secs(1);

/// State of a WebSocket's handler, judged by its use of the client's messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Handler {
    /// The handler waits for a message, or has not asked for one yet.
    Waiting,
    /// The handler has got bytes. The code that parses messages reads until there are no more
    /// before it gives the first message to the handler. So `has_read_all` doesn't mean that the
    /// handler waits, unless the handler asks once more.
    Working { has_read_all: bool },
    /// The handler knows that no further message comes.
    Ending,
    /// The handler has dropped the client's messages.
    Gone,
}

/// Progress of the Close that the server sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CloseProgress {
    Open,
    /// A Close is to be sent when the handler pauses, or at the latest at the moment `latest`,
    /// behind the message that the handler is then sending. `patience` is the time until `latest`,
    /// counted from the request for the Close, or from the handler's last step of work since then.
    Asked {
        patience: Duration,
        latest: Instant,
    },
    /// The server has sent a Close, and nothing of the handler's may follow.
    Closed,
}

/// Progress of the response's body, whose end is the end of the handler's messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sending {
    Open,
    /// The body has come to its end, or to a Close.
    Complete,
    /// The body was dropped before its end, or could not be written.
    Broken,
}

/// State of a WebSocket, shared by the response's body, the request's payload and the connection.
pub(in crate::server) struct WebSocket {
    incoming: RefCell<MessageReader>,
    /// Count of the client's bytes that have been read.
    arrived: Cell<u64>,
    /// Count of the bytes that have been written to the client.
    written: Cell<u64>,
    /// Count of the client's bytes that the handler has got.
    taken: Cell<u64>,
    /// Count of the bytes that had come when a Close was asked for: the handler gets these first.
    due: Cell<u64>,
    /// Set if bytes had come by then that nobody had read.
    has_unread: Cell<bool>,
    outgoing: RefCell<MessageReader>,
    handler: Cell<Handler>,
    /// Task that has asked for a message, and got none.
    reader: RefCell<Option<Waker>>,
    close_progress: Cell<CloseProgress>,
    sending: Cell<Sending>,
    /// Request of the WebSocket, in flight until its connection and its handler have ended.
    in_flight: RefCell<Option<InFlight>>,
    /// Notification that the handler's state was set.
    handler_changed: Notify,
    /// Time since which the handler has had nothing to send, after it has sent something about the
    /// bytes that it had got.
    answered_at: Cell<Option<Instant>>,
    /// Set once the handler has sent something about the bytes that it has got.
    has_sent: Cell<bool>,
    /// Time at which the handler turned away from the bytes that it had got, or its client went on
    /// reading. Set as long as the handler may have more to send about them.
    answering_since: Cell<Option<Instant>>,
    /// Set while the client takes nothing. Meanwhile nobody can see whether the handler has
    /// something to send.
    is_stuck: Cell<bool>,
    /// Set once the end of the client's message is not waited for any more.
    ignores_incoming: Cell<bool>,
}

impl WebSocket {
    pub(in crate::server) fn new() -> Self {
        Self {
            incoming: RefCell::new(MessageReader::new()),
            arrived: Cell::new(0),
            written: Cell::new(0),
            taken: Cell::new(0),
            due: Cell::new(0),
            has_unread: Cell::new(false),
            outgoing: RefCell::new(MessageReader::new()),
            handler: Cell::new(Handler::Waiting),
            reader: RefCell::new(None),
            close_progress: Cell::new(CloseProgress::Open),
            sending: Cell::new(Sending::Open),
            in_flight: RefCell::new(None),
            handler_changed: Notify::new(),
            answered_at: Cell::new(None),
            has_sent: Cell::new(false),
            answering_since: Cell::new(None),
            is_stuck: Cell::new(false),
            ignores_incoming: Cell::new(false),
        }
    }

    /// Notes that the handler has accepted the upgrade.
    pub(in crate::server) fn accept(&self, in_flight: InFlight) {
        *self.in_flight.borrow_mut() = Some(in_flight);
    }

    /// Notes that the handler has panicked with this message.
    fn panicked(&self, message: String) {
        if let Some(in_flight) = &*self.in_flight.borrow() {
            in_flight.panicked(message);
        }
    }

    /// Asks for a Close at the handler's next pause, once it has got the bytes that have come, or
    /// after `patience`, behind the message that it is then sending. `has_unread` is set if bytes
    /// have come that nobody has read.
    pub(in crate::server) fn ask_to_close(
        &self,
        now: Instant,
        patience: Duration,
        has_unread: bool,
    ) {
        if self.close_progress.get() == CloseProgress::Open {
            self.due.set(self.arrived.get());
            self.has_unread.set(has_unread);
            self.close_progress.set(CloseProgress::Asked { patience, latest: now + patience });
            // A handler that waits asks once more when it is woken. One that works on a message
            // doesn't.
            if let Some(reader) = self.reader.take() {
                reader.wake();
            }
        }
    }

    /// Returns the moment from which a handler that never pauses is interrupted between two
    /// messages; `None` unless a Close is asked for and not sent.
    pub(in crate::server) fn latest_close(&self) -> Option<Instant> {
        match self.close_progress.get() {
            CloseProgress::Asked { latest, .. } if !self.outgoing.borrow().is_closing() => {
                Some(latest)
            }
            _ => None,
        }
    }

    /// Returns whether a Close of ours has been asked for.
    pub(in crate::server) fn is_asked_to_close(&self) -> bool {
        self.close_progress.get() != CloseProgress::Open
    }

    /// Returns whether the server has sent its Close.
    pub(in crate::server) fn has_closed(&self) -> bool {
        self.close_progress.get() == CloseProgress::Closed
    }

    /// Sets the handler's state, and returns whether the state is new.
    fn set_handler(&self, handler: Handler) -> bool {
        let before = self.handler.replace(handler);
        if handler == (Handler::Working { has_read_all: false }) {
            self.answered_at.set(None);
            self.has_sent.set(false);
        }
        if matches!(before, Handler::Working { .. }) && !self.has_work() {
            self.answering_since.set(Some(Instant::now()));
        }
        if let CloseProgress::Asked { patience, .. } = self.close_progress.get()
            && matches!(before, Handler::Working { .. })
        {
            // The handler first sends what it has to say about the message.
            self.close_progress
                .set(CloseProgress::Asked { patience, latest: Instant::now() + patience });
        }
        self.handler_changed.notify_one();
        before != handler
    }

    /// Returns whether the handler works on bytes that the client has sent, or its answer is on its
    /// way. A handler that reads no more, but has answered and then sent nothing for a while,
    /// doesn't count as working: it may never read again.
    pub(in crate::server) fn is_working(&self) -> bool {
        let now = Instant::now();
        self.has_work() && !self.has_answered(now) || self.is_answering(now)
    }

    /// Returns whether an answer is on its way. An answer that never ends doesn't count.
    fn is_answering(&self, now: Instant) -> bool {
        self.answering_since
            .get()
            .is_some_and(|since| self.is_stuck.get() || now < since + ANSWERED)
    }

    /// Returns whether the handler has got bytes and not asked for more, even if it has answered.
    fn has_work(&self) -> bool {
        matches!(self.handler.get(), Handler::Working { .. })
    }

    fn has_answered(&self, now: Instant) -> bool {
        self.answered_at.get().is_some_and(|at| at + ANSWERED <= now)
    }

    /// Returns the moment from which a working handler counts as one that has answered.
    pub(in crate::server) fn answered_by(&self) -> Option<Instant> {
        let since = if self.has_work() { &self.answered_at } else { &self.answering_since };
        let since = since.get().filter(|_| !self.is_stuck.get());
        since.map(|since| since + ANSWERED)
    }

    /// Counts the request as ended, even if the handler still runs.
    pub(in crate::server) fn finish(&self) {
        self.end_sending(false);
        let Some(in_flight) = self.in_flight.borrow_mut().take() else { return };
        if self.sending.get() == Sending::Complete {
            in_flight.finish();
        }
    }

    /// Notes that this many bytes of the client have been read, on their way to the handler.
    pub(in crate::server) fn arrived(&self, bytes: usize) {
        self.arrived.set(self.arrived.get() + bytes as u64);
        if self.has_unread.replace(false) {
            self.due.set(self.arrived.get());
        }
    }

    /// Looks at bytes of the client that are for the handler.
    fn taken(&self, bytes: &[u8]) {
        self.taken.set(self.taken.get() + bytes.len() as u64);
        // Some bytes may have come with the request.
        self.arrived.set(self.arrived.get().max(self.taken.get()));
        self.received(bytes);
    }

    /// Returns whether the server's Close may be sent now. `pauses` is set if the handler has
    /// nothing more to send.
    fn may_close(&self, now: Instant, pauses: bool) -> bool {
        let CloseProgress::Asked { latest, .. } = self.close_progress.get() else { return false };
        let outgoing = self.outgoing.borrow();
        let waits_for_client = self.handler.get() != Handler::Gone && !self.ignores_incoming.get();
        let is_between = outgoing.is_between_messages()
            && (!waits_for_client || self.incoming.borrow().is_between_messages());
        // A handler that waits for a message gets the bytes that have come. A handler that has
        // never asked doesn't.
        let gets_more = now < latest
            && self.handler.get() == Handler::Waiting
            && (self.taken.get() < self.due.get() || self.has_unread.get());
        (pauses || latest <= now)
            && is_between
            && !self.is_working()
            && !outgoing.is_closing()
            && !gets_more
    }

    /// Returns the Close to send now, if any.
    pub(in crate::server) fn close(&self, now: Instant, pauses: bool) -> Option<Bytes> {
        if !self.may_close(now, pauses) {
            return None;
        }
        self.close_progress.set(CloseProgress::Closed);
        Some(Bytes::from_static(GOING_AWAY))
    }

    /// Looks at bytes that the handler sends.
    pub(in crate::server) fn sent(&self, bytes: &[u8]) {
        self.outgoing.borrow_mut().advance(bytes);
        self.answered_at.set(None);
        self.has_sent.set(true);
    }

    /// Notes that the handler has nothing to send now. Returns whether the handler may have
    /// answered by that. One that has begun a message has more to send.
    fn pauses(&self, now: Instant) -> bool {
        self.answering_since.set(None);
        let answers = self.has_sent.get() && !self.is_sending() && self.answered_at.get().is_none();
        if answers {
            self.answered_at.set(Some(now));
        }
        answers
    }

    /// Returns whether the handler has begun a message and not ended it.
    pub(in crate::server) fn is_sending(&self) -> bool {
        !self.outgoing.borrow().is_between_messages()
    }

    /// Notes that the client has taken this many bytes, or takes none now. Returns whether that is
    /// new: the client took some until now, or took none.
    pub(in crate::server) fn wrote(&self, taken: Poll<usize>) -> bool {
        if let Poll::Ready(taken) = taken {
            self.written.set(self.written.get() + taken as u64);
        }
        let is_stuck = taken.is_pending();
        if self.is_stuck.replace(is_stuck) == is_stuck {
            return false;
        }
        // Until then nobody could see whether the handler had more to send.
        self.answered_at.set(None);
        if !is_stuck && self.answering_since.get().is_some() {
            self.answering_since.set(Some(Instant::now()));
        }
        true
    }

    /// Returns whether the client takes nothing of what is written.
    pub(in crate::server) fn is_stuck(&self) -> bool {
        self.is_stuck.get()
    }

    /// Returns the counts of the bytes that have been read and written.
    pub(in crate::server) fn moved(&self) -> (u64, u64) {
        (self.arrived.get(), self.written.get())
    }

    /// Permits a Close in the middle of a message of the client's, which has stopped sending it.
    pub(in crate::server) fn ignore_incoming(&self) {
        self.ignores_incoming.set(true);
    }

    /// Returns whether the client has sent a Close.
    pub(in crate::server) fn client_has_closed(&self) -> bool {
        self.incoming.borrow().has_closed()
    }

    /// Looks at bytes of the client that no handler reads any more.
    pub(in crate::server) fn received(&self, bytes: &[u8]) {
        self.incoming.borrow_mut().advance(bytes);
    }

    /// Returns whether the handler has nothing more to send.
    pub(in crate::server) fn is_over(&self) -> bool {
        self.sending.get() != Sending::Open
    }

    /// Notes that the client can't get the bytes that the handler has sent last.
    pub(in crate::server) fn broke(&self) {
        self.sending.set(Sending::Broken);
    }

    /// Notes that the response's body has ended.
    pub(in crate::server) fn end_sending(&self, is_complete: bool) {
        if self.sending.get() == Sending::Open {
            self.sending.set(if is_complete { Sending::Complete } else { Sending::Broken });
        }
    }
}
