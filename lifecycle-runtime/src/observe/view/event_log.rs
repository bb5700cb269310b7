//! Log of the last events of a run, as texts, for clients that follow it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;

use super::event_json;
use crate::event::{Event, Observer};

/// Number of events that are kept.
const KEPT: usize = 1024;

/// Number of bytes of the events that are kept, and so the memory that they take at most.
const KEPT_BYTES: usize = 512 * 1024;

/// Longest text of one event, in bytes. A longer one is left out.
const LONGEST: usize = 64 * 1024;

/// Number of bytes after which a reader has enough for now.
const BATCH: usize = 64 * 1024;

/// Log of the last events of a run. Clones share it.
#[derive(Clone)]
pub(crate) struct EventLog(Arc<LogInner>);

struct LogInner {
    /// Name of the run, which tells its events from those of an earlier process.
    run: String,
    kept: Mutex<Kept>,
    /// Number of the last event, for those who wait for the next.
    last: watch::Sender<u64>,
}

#[derive(Default)]
struct Kept {
    /// Number of the last event.
    last: u64,
    /// Events up to the last one.
    texts: VecDeque<Arc<str>>,
    bytes: usize,
    /// Set once no event follows.
    is_over: bool,
}

/// Events that follow a given one, as far as they are kept.
pub(crate) struct Reading {
    /// Number of events in between that are kept no longer.
    pub(crate) missed: u64,
    /// Events, each with its number.
    pub(crate) events: Vec<(u64, Arc<str>)>,
    /// Set if the last event of the run has been read.
    pub(crate) is_over: bool,
}

impl EventLog {
    pub(crate) fn new() -> Self {
        let began = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let run = format!("{:x}", began.as_millis());
        let (kept, last) = (Mutex::default(), watch::Sender::new(0));
        Self(Arc::new(LogInner { run, kept, last }))
    }

    /// Returns the identity of an event for clients, by its number.
    pub(crate) fn id(&self, number: u64) -> String {
        format!("{}-{number}", self.0.run)
    }

    /// Returns the number of the event with this identity. `None` if it is none of this run.
    pub(crate) fn number(&self, id: &str) -> Option<u64> {
        let number = id.strip_prefix(&self.0.run)?.strip_prefix('-')?.parse().ok()?;
        (number <= self.kept().last).then_some(number)
    }

    /// Returns events that follow the one with this number.
    pub(crate) fn after(&self, number: u64) -> Reading {
        let kept = self.kept();
        let before_first = kept.last - kept.texts.len() as u64;
        let from = number.max(before_first);
        let skipped = usize::try_from(from - before_first).unwrap_or(usize::MAX);
        let mut bytes = 0;
        let texts = kept.texts.iter().skip(skipped).take_while(|text| {
            let is_room = bytes < BATCH;
            bytes += text.len();
            is_room
        });
        let events: Vec<_> = (from + 1..).zip(texts.cloned()).collect();
        let is_over = kept.is_over && from + events.len() as u64 == kept.last;
        Reading { missed: from - number, events, is_over }
    }

    /// Returns a receiver of the number of the last event. It is notified of the end of the run,
    /// too.
    pub(crate) fn last(&self) -> watch::Receiver<u64> {
        self.0.last.subscribe()
    }

    /// Notes that no event follows, and waits until all receivers are dropped.
    pub(crate) async fn end(&self) {
        self.kept().is_over = true;
        self.0.last.send_modify(|_| {});
        self.0.last.closed().await;
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn push(&mut self, text: Arc<str>) {
        self.last += 1;
        self.bytes += text.len();
        self.texts.push_back(text);
        while self.texts.len() > KEPT || self.bytes > KEPT_BYTES {
            let Some(oldest) = self.texts.pop_front() else { return };
            self.bytes -= oldest.len();
        }
    }
}

impl Observer for EventLog {
    fn on_event(&self, at: Duration, event: &Event) {
        let mut text = event_json::text(at, event);
        if text.len() > LONGEST {
            text = event_json::left_out(at, text.len());
        }
        let last = {
            let mut kept = self.kept();
            kept.push(text.into());
            kept.last
        };
        // Another thread may have come in between.
        self.0.last.send_if_modified(|known| {
            let is_later = last > *known;
            *known = last.max(*known);
            is_later
        });
    }
}
