//! One connection: what is in flight on it, how its client is told that it ends, and when it may.
//!
//! Everything here happens on the connection's worker thread.

use std::cell::{Cell, RefCell, RefMut};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

use actix_web::http::{Method, Uri};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::http2::Http2;
use super::speech::{Language, Speech};
use super::traffic::{Entry, Fate, Table};
use super::websocket::WebSocket;

#[cfg(test)]
mod tests;

/// How long a connection stays that became idle when the quiet window was over: a next request may be on its way.
const LATE_QUIET: Duration = Duration::from_millis(10);

/// How long a connection that was told to end may take for it.
const ENDING: Duration = Duration::from_millis(100);

/// How far the end of a worker's connections has come.
pub(super) struct Phase {
    /// Whether responses announce that their connection closes; of the whole server.
    announces: Arc<AtomicBool>,
    /// Whether connections are being closed.
    closes: Cell<bool>,
    changed: Notify,
}

impl Phase {
    pub(super) fn new(announces: Arc<AtomicBool>) -> Self {
        Self { announces, closes: Cell::new(false), changed: Notify::new() }
    }

    /// Connections are being closed from now on.
    pub(super) fn close(&self) {
        self.closes.set(true);
    }

    /// Waits until a connection may have something new due.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// A connection may have something new due.
    pub(super) fn change(&self) {
        if self.closes.get() {
            self.changed.notify_one();
        }
    }
}

/// A connection, shared by its transport, the requests on it, and its worker.
pub(super) struct Connection {
    table: Arc<Table>,
    phase: Rc<Phase>,
    /// The task that drives it.
    task: RefCell<Option<Waker>>,
    speech: RefCell<Speech>,
    /// Requests whose response is not complete.
    in_flight: Cell<usize>,
    /// Requests whose response is complete, but not written.
    unwritten: RefCell<Vec<Entry>>,
    /// Since when, if that is not before connections were closed.
    idle_since: Cell<Instant>,
    /// Whether a response has announced that it is the last.
    has_said_close: Cell<bool>,
    ended: Cell<Option<Instant>>,
    /// When a WebSocket's client was told to close.
    told: Cell<Option<Instant>>,
}

/// What to do about a connection, and when.
pub(super) enum Due {
    /// Nothing, as long as requests are in flight.
    Never,
    /// No more is read, which is its end.
    End(Instant),
    /// It is dropped, whatever it does.
    Drop(Instant),
}

impl Connection {
    pub(super) fn new(table: Arc<Table>, phase: Rc<Phase>) -> Self {
        Self {
            table,
            phase,
            task: RefCell::default(),
            speech: RefCell::new(Speech::new(Language::Http1)),
            in_flight: Cell::new(0),
            unwritten: RefCell::default(),
            idle_since: Cell::new(Instant::now()),
            has_said_close: Cell::new(false),
            ended: Cell::new(None),
            told: Cell::new(None),
        }
    }

    /// Remembers the task that drives the connection.
    pub(super) fn driven_by(&self, context: &Context<'_>) {
        *self.task.borrow_mut() = Some(context.waker().clone());
    }

    fn wake(&self) {
        if let Some(task) = &*self.task.borrow() {
            task.wake_by_ref();
        }
    }

    /// What the client speaks is HTTP/2.
    pub(super) fn speaks_http2(&self) {
        *self.speech.borrow_mut() = Speech::new(Language::Http2(Http2::new()));
        self.tell_if_closing();
    }

    /// The next response makes a WebSocket of it.
    pub(super) fn becomes_websocket(&self) {
        if !matches!(self.speech().language(), Language::Http1) {
            // HTTP/2 has no upgrade: this response is a mistake, and changes nothing.
            return;
        }
        *self.speech.borrow_mut() = Speech::new(Language::WebSocket(WebSocket::new()));
        self.told.set(None);
        self.tell_if_closing();
    }

    fn tell_if_closing(&self) {
        if self.phase.closes.get() {
            self.tell();
        }
    }

    /// Tells the client that the connection ends, if there is a way that doesn't need a response.
    pub(super) fn tell(&self) {
        self.told.set(self.told.get().or(Some(Instant::now())));
        if self.speech().tell() {
            self.wake();
        }
    }

    /// What arrives from now on is late.
    pub(super) fn tell_last(&self) {
        if self.speech().tell_last() {
            self.wake();
        }
    }

    /// What to do next, in a server that closes.
    pub(super) fn due(&self, quiet_until: Instant, disconnect: Duration) -> Due {
        if let Some(ended) = self.ended.get() {
            return Due::Drop(ended + ENDING);
        }
        let mut speech = self.speech.borrow_mut();
        if speech.is_done() {
            return Due::End(self.idle_since.get());
        }
        match speech.language() {
            Language::WebSocket(_) if !self.is_busy() => Due::End(self.idle_since.get()),
            Language::WebSocket(_) => self.told.get().map_or(Due::Never, |told| Due::End(told + disconnect)),
            Language::Http2(_) => Due::Never,
            Language::Http1 if self.is_busy() => Due::Never,
            Language::Http1 => Due::End(quiet_until.max(self.idle_since.get() + LATE_QUIET)),
        }
    }

    /// Whether a response is owed.
    fn is_busy(&self) -> bool {
        self.in_flight.get() > 0 || !self.unwritten.borrow().is_empty()
    }

    /// No more is read: what is on its way now comes too late. Returns when the connection is to be gone.
    pub(super) fn end(&self) -> Instant {
        let now = Instant::now();
        self.ended.set(Some(now));
        self.wake();
        now + ENDING
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.get().is_some()
    }

    /// Something has arrived after all, in the last moment.
    pub(super) fn goes_on(&self) {
        self.ended.set(None);
        self.phase.change();
    }

    /// Whether everything on it is being closed.
    pub(super) fn is_closing(&self) -> bool {
        self.phase.closes.get()
    }

    /// Whether the response that begins now has to announce that it is the last.
    pub(super) fn says_close(&self) -> bool {
        let says_close = self.phase.announces.load(Ordering::Relaxed);
        if says_close && matches!(self.speech().language(), Language::Http1) {
            self.has_said_close.set(true);
        }
        says_close
    }

    /// Whether bytes have to be looked at.
    pub(super) fn has_frames(&self) -> bool {
        self.speech.borrow().has_frames()
    }

    /// What is spoken.
    pub(super) fn speech(&self) -> RefMut<'_, Speech> {
        self.speech.borrow_mut()
    }

    /// Begins a request; `None` if it is refused: its client has been told before that it would come too late. (One that
    /// was sent right behind another can't have known, and a server that has said close must not process it, see
    /// RFC 9112, section 9.6.)
    pub(super) fn begin(self: &Rc<Self>, method: &Method, uri: &Uri) -> Option<InFlight> {
        let is_late = match self.speech().language() {
            Language::Http2(http2) => !http2.begin(),
            Language::Http1 | Language::WebSocket(_) => self.has_said_close.get(),
        };
        if is_late {
            self.table.refuse();
            return None;
        }
        self.in_flight.set(self.in_flight.get() + 1);
        let entry = Some(Entry::new(&self.table, method.clone(), uri.path_and_query().cloned()));
        Some(InFlight { connection: Rc::clone(self), entry })
    }

    /// Everything has been written.
    pub(super) fn flushed(&self) {
        if self.unwritten.borrow().is_empty() {
            return;
        }
        while let Some(entry) = self.unwritten.borrow_mut().pop() {
            entry.end(Fate::Finished);
        }
        self.rest();
    }

    /// A response less is owed.
    pub(super) fn rest(&self) {
        // Nobody asks before, and what happened before is long enough ago.
        if self.is_closing() {
            self.idle_since.set(Instant::now());
            self.phase.change();
        }
    }
}

/// A request in flight.
pub(super) struct InFlight {
    connection: Rc<Connection>,
    entry: Option<Entry>,
}

impl InFlight {
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Its response is complete, and finished when it is written.
    pub(super) fn complete(mut self) {
        let entry = self.entry.take();
        self.connection.unwritten.borrow_mut().extend(entry);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.connection.in_flight.set(self.connection.in_flight.get() - 1);
        if let Some(entry) = self.entry.take() {
            let fate = if std::thread::panicking() { Fate::Panicked } else { Fate::Abandoned };
            entry.end(fate);
            self.connection.rest();
        }
    }
}
