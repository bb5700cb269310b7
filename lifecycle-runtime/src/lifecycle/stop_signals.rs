//! Reactions of a run to signals that stop it: the first, the second, which hurries the stop, and
//! the third. Whatever a hurry cuts short awaits `hook::stop::hurried`.

use std::time::{Duration, Instant};

use crate::engine::recurring::Inbox;
use crate::hook::stop::{StopCause, StopHandle};

/// Time within which signals that stop count as one: `timeout`, `make` and shells pass on a signal
/// that the terminal has sent to the whole process group already. The second comes milliseconds
/// later, even on a busy machine. People who press Ctrl-C again within this time press it once
/// more.
const ONE_SIGNAL: Duration = Duration::from_millis(500);

/// Reaction to a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reaction {
    /// The stop begins, or is hurried.
    Stop,
    /// The process ends at once: the stop has begun and has been hurried before.
    Exit,
    /// The hooks of the signal run.
    Hooks,
    /// It counts as one with the signal before it.
    Repeated,
    /// No hook is for the signal.
    Nothing,
}

/// Counter of the signals that stop a run: the first one stops it, the second hurries it, the third
/// ends the process at once.
pub(crate) struct Reactions {
    handle: StopHandle,
    /// Inbox of the signals that have hooks.
    inbox: Inbox,
    stops: usize,
    /// Moment at which the last signal that stops arrived.
    last: Option<Instant>,
    /// Moment at which the last signal that counted arrived.
    counted: Option<Instant>,
    one_signal: Duration,
}

impl Reactions {
    pub(crate) fn new(handle: StopHandle, inbox: Inbox) -> Self {
        Self { handle, inbox, stops: 0, last: None, counted: None, one_signal: ONE_SIGNAL }
    }

    /// Counts each signal as one of its own, however close to the one before.
    #[cfg(feature = "testing")]
    pub(crate) fn each_counts(self) -> Self {
        Self { one_signal: Duration::ZERO, ..self }
    }

    /// Returns whether the reaction to a signal that counts now would be [`Reaction::Exit`].
    #[cfg(feature = "testing")]
    pub(crate) fn would_exit(&self, name: &str, stops: bool) -> bool {
        stops && self.stops >= 2 && !self.inbox.has(name)
    }

    /// Reacts to a signal that has arrived now. `stops` is set for a signal that stops the process.
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
        // The program may have hurried the stop since the first signal: then this is the third.
        if self.stops == 1 && self.handle.asked().borrow().hurry {
            self.stops = 2;
        }
        // The signal that skips hooks has to stand alone: no burst may cause it.
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

    /// Returns the reactions to signals that arrive at these milliseconds.
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
        // A key that is pressed again and again hurries the stop. However long the burst is, it
        // skips no hook.
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

    #[test]
    fn the_second_signal_of_a_stop_that_the_program_has_hurried_ends_the_process() {
        use Reaction::{Exit, Repeated, Stop};
        for (at, expected) in [
            (&[500][..], &[Exit][..]),
            // It has to stand alone, as any that ends the process.
            (&[300, 600, 1_100], &[Repeated, Repeated, Exit]),
        ] {
            let handle = StopHandle::new();
            let mut reactions = Reactions::new(handle.clone(), Inbox::default());
            let began = Instant::now();
            assert_eq!(reactions.react("SIGTERM", true, began), Stop);
            handle.hurry();
            let at = at.iter().map(|&at| began + Duration::from_millis(at));
            let found: Vec<_> = at.map(|at| reactions.react("SIGTERM", true, at)).collect();
            assert_eq!(found, expected);
        }
    }
}
