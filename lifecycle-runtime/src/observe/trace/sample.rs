//! Subscriber that keeps the lines that it shows, for tests.

use std::fmt::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

struct Sink {
    max: Level,
    lines: Arc<Mutex<Vec<String>>>,
}

/// Visitor that writes the message, and each field behind it.
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = match field.name() {
            "message" => {
                let rest = std::mem::take(&mut self.0);
                write!(self.0, "{value:?}{rest}")
            }
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}

impl Subscriber for Sink {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.max
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::from_level(self.max))
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        self.lines.lock().expect("no panic").push(line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Lock that lets one test at a time use a subscriber. `tracing` remembers for each place of an
/// event if anybody wants it, and does not ask a subscriber that is set while another thread
/// reaches the place for the first time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Returns the lines that a subscriber of this level, if there is one, shows of the events that
/// `act` causes on this thread.
pub(crate) fn traced(max: impl Into<Option<Level>>, act: impl FnOnce()) -> Vec<String> {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let lines = Arc::<Mutex<Vec<String>>>::default();
    if let Some(max) = max.into() {
        tracing::subscriber::with_default(Sink { max, lines: Arc::clone(&lines) }, || {
            tracing::callsite::rebuild_interest_cache();
            act();
        });
    } else {
        act();
    }
    std::mem::take(&mut lines.lock().expect("no panic"))
}
