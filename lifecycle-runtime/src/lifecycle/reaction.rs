//! Reactions of a run to signals.

use std::time::{Duration, Instant};

use crate::engine::recurring::Inbox;
use crate::hook::stop::{StopCause, StopHandle};

/// Time within which signals that stop are one: `timeout`, `make` and shells pass on what the
/// terminal has sent to the whole process group already.
const ONE_SIGNAL: Duration = Duration::from_millis(500);

/// Reaction to a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reaction {
    /// The stop begins, or is hurried.
    Stop,
    /// Both has happened before: nothing is waited for any longer.
    Exit,
    /// Its hooks run.
    Hooks,
    /// It is one with the signal before it.
    Repeated,
    /// No hook is for it.
    Nothing,
}

/// Counts the signals that stop a run: the first stops, the second hurries, the third ends the
/// process at once.
pub(crate) struct Reactions {
    handle: StopHandle,
    /// The signals that have hooks.
    inbox: Inbox,
    stops: usize,
    /// When the last signal arrived that stops.
    last: Option<Instant>,
    /// When the last one did that counted.
    counted: Option<Instant>,
    one_signal: Duration,
}

impl Reactions {
    pub(crate) fn new(handle: StopHandle, inbox: Inbox) -> Self {
        Self { handle, inbox, stops: 0, last: None, counted: None, one_signal: ONE_SIGNAL }
    }

    /// Takes each signal for one of its own, however close to the one before.
    #[cfg(feature = "testing")]
    pub(crate) fn each_counts(self) -> Self {
        Self { one_signal: Duration::ZERO, ..self }
    }

    /// Reacts to a signal that has arrived now, which `stops` the process or is for hooks.
    pub(crate) fn react(&mut self, name: &'static str, stops: bool, now: Instant) -> Reaction {
        if self.inbox.put(name) {
            return Reaction::Hooks;
        }
        if !stops {
            return Reaction::Nothing;
        }
        let since =
            |moment: Option<Instant>| moment.map(|moment| now.saturating_duration_since(moment));
        let (since_last, since_counted) = (since(self.last.replace(now)), since(self.counted));
        // What skips hooks has to stand alone: no burst is to do it.
        let pause = if self.stops == 2 { since_last } else { since_counted };
        if pause.is_some_and(|pause| pause < self.one_signal) {
            return Reaction::Repeated;
        }
        self.counted = Some(now);
        self.stops += 1;
        match self.stops {
            1 => {
                if !self.handle.ask(StopCause::Signal(name)) {
                    let is_hurried = self.handle.asked().borrow().hurry;
                    self.stops += usize::from(is_hurried);
                    self.handle.note_signal(name, is_hurried);
                }
            }
            2 => self.handle.hurry(),
            _ => return Reaction::Exit,
        }
        Reaction::Stop
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns how each of the signals is reacted to that arrive at these milliseconds.
    fn reactions(at: &[u64]) -> Vec<Reaction> {
        let mut reactions = Reactions::new(StopHandle::new(), Inbox::default());
        let began = Instant::now();
        at.iter()
            .map(|&at| reactions.react("SIGINT", true, began + Duration::from_millis(at)))
            .collect()
    }

    #[test]
    fn what_repeats_within_half_a_second_is_one_signal() {
        use Reaction::{Exit, Repeated, Stop};
        assert_eq!(reactions(&[0, 5, 50, 499]), [Stop, Repeated, Repeated, Repeated]);
        assert_eq!(reactions(&[0, 500, 1_000]), [Stop, Stop, Exit]);
        // A key that is pressed again and again hurries, and however long a burst is, it skips no
        // hook.
        let burst: Vec<_> = (0..100).map(|number| number * 100).collect();
        let counted: Vec<_> =
            reactions(&burst).into_iter().filter(|reaction| *reaction != Repeated).collect();
        assert_eq!(counted, [Stop, Stop]);
        assert_eq!(
            reactions(&[0, 300, 600, 900, 1_399, 1_899]),
            [Stop, Repeated, Stop, Repeated, Repeated, Exit]
        );
    }

    #[test]
    fn the_first_signal_after_a_stop_by_the_program_neither_hurries_nor_is_in_vain() {
        let handle = StopHandle::new();
        handle.stop();
        let mut reactions = Reactions::new(handle.clone(), Inbox::default());
        reactions.react("SIGTERM", true, Instant::now());
        let asked = handle.asked();
        let asked = asked.borrow();
        assert_eq!((asked.late_signal, asked.hurry), (Some(("SIGTERM", false)), false));
    }

    #[test]
    fn the_first_signal_after_a_stop_that_the_program_has_hurried_leaves_one_to_exit() {
        let handle = StopHandle::new();
        handle.hurry();
        let mut reactions = Reactions::new(handle.clone(), Inbox::default());
        let began = Instant::now();
        assert_eq!(reactions.react("SIGTERM", true, began), Reaction::Stop);
        assert_eq!(handle.asked().borrow().late_signal, Some(("SIGTERM", true)));
        assert_eq!(reactions.react("SIGTERM", true, began + ONE_SIGNAL), Reaction::Exit);
    }
}
