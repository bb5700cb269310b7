//! Reactions of a run to signals.

use crate::recurring::Inbox;
use crate::stop::{StopCause, StopHandle};

/// Reaction to a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reaction {
    /// The stop begins, or is hurried.
    Stop,
    /// Both has happened before: nothing is waited for any longer.
    Exit,
    /// Its hooks run.
    Hooks,
    /// No hook is for it.
    Nothing,
}

/// Counts the signals that stop a run: the first stops, the second hurries, the third ends the process at once.
pub(crate) struct Reactions {
    handle: StopHandle,
    /// The signals that have hooks; none until the plan is known.
    pub(super) inbox: Inbox,
    stops: usize,
}

impl Reactions {
    pub(crate) fn new(handle: StopHandle, inbox: Inbox) -> Self {
        Self { handle, inbox, stops: 0 }
    }

    /// A signal has arrived, which `stops` the process or is for hooks.
    pub(crate) fn react(&mut self, name: &'static str, stops: bool) -> Reaction {
        if !stops {
            return if self.inbox.put(name) { Reaction::Hooks } else { Reaction::Nothing };
        }
        self.stops += 1;
        match self.stops {
            1 => self.handle.ask(StopCause::Signal(name)),
            2 => self.handle.hurry(),
            _ => return Reaction::Exit,
        }
        Reaction::Stop
    }
}
