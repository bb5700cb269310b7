//! Signals to an app that runs inside a test.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::moment::{Signal, TimedSignal};
use crate::event::{Event, Observer};
use crate::lifecycle::{Reaction, Reactions};

/// Sender of a test's signals to its app, at their moments or at once.
pub(super) struct SignalSender {
    signals: Vec<TimedSignal>,
    reactions: OnceLock<Mutex<Reactions>>,
    /// Mistakes of the test, such as signals that nobody hears.
    mistakes: Mutex<Vec<String>>,
}

impl SignalSender {
    pub(super) fn new(signals: Vec<TimedSignal>) -> Self {
        Self { signals, reactions: OnceLock::new(), mistakes: Mutex::default() }
    }

    /// Lets the app react to signals from now on.
    pub(super) fn open(&self, reactions: Reactions) {
        let _ = self.reactions.set(Mutex::new(reactions));
    }

    pub(super) fn send(&self, signal: Signal) -> Result<(), String> {
        let reactions = self.reactions.get().ok_or("nothing runs yet")?;
        let mut reactions = reactions.lock().unwrap_or_else(PoisonError::into_inner);
        match reactions.react(signal.name(), signal.stops(), Instant::now()) {
            Reaction::Stop | Reaction::Hooks | Reaction::Repeated => Ok(()),
            Reaction::Nothing => {
                Err(format!("nobody hears {signal}: no hook of the app is for it"))
            }
            Reaction::Exit => Err(format!(
                "{signal} is the third signal that stops: the process would exit at once"
            )),
        }
    }

    /// Returns whether the process would exit at once if this signal was sent now.
    pub(super) fn would_end_process(&self, signal: Signal) -> bool {
        self.reactions.get().is_some_and(|reactions| {
            let reactions = reactions.lock().unwrap_or_else(PoisonError::into_inner);
            reactions.would_exit(signal.name(), signal.stops())
        })
    }

    pub(super) fn mistakes(&self) -> MutexGuard<'_, Vec<String>> {
        self.mistakes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn unused(&self) -> impl Iterator<Item = String> {
        self.signals.iter().filter_map(TimedSignal::unused)
    }
}

impl Observer for SignalSender {
    fn on_event(&self, _: Duration, event: &Event) {
        for timed in self.signals.iter().filter(|timed| timed.is_due(event)) {
            if let Err(mistake) = self.send(timed.signal) {
                self.mistakes().push(format!("{}: {mistake}", timed.place));
            }
        }
    }
}
