//! Time for the report, between the moment by which the hooks of the stop have to end and the end
//! of the process. In eighths, at the latest:
//!
//! ```text
//! 0 ─────────► 1 ─────────► 3 ─────────► 7 ─────────► 8
//!   last hook    observers    callbacks    last lines
//!   abandoned
//! ```
//!
//! Hooks that began late may take four eighths. What follows then has less.

use std::time::Duration;

use tokio::time::Instant;

use crate::plan::last_words;

/// Returns the moment until which the program's observers are waited for. `deadline` is the moment
/// by which the hooks had to end, and `now` the one at which they have.
pub(super) fn observers_until(deadline: Instant, grace: Duration, now: Instant) -> Instant {
    let eighth = last_words(grace) / 8;
    (now + eighth * 2).clamp(deadline + eighth * 3, deadline + eighth * 6)
}

/// Returns the moment until which the callbacks of `on_report` are waited for, which are called
/// `now`, after the observers. If no stop has a deadline, they have the grace period.
pub(super) fn callbacks_until(deadline: Option<Instant>, grace: Duration, now: Instant) -> Instant {
    let Some(deadline) = deadline else { return now + grace };
    let eighth = last_words(grace) / 8;
    (now + eighth * 4).clamp(deadline + eighth * 4, deadline + eighth * 7)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the eighths, since the deadline, at which the waits for observers and for callbacks
    /// end that never return, if the hooks have ended after so many eighths.
    fn ends(hooks_ended: u32) -> [u128; 2] {
        let grace = Duration::from_secs(16);
        let eighth = Duration::from_millis(100);
        let deadline = Instant::now() + grace;
        let observers = observers_until(deadline, grace, deadline + eighth * hooks_ended);
        let callbacks = callbacks_until(Some(deadline), grace, observers);
        [observers, callbacks].map(|end| (end - deadline).as_millis() / eighth.as_millis())
    }

    #[test]
    fn an_observer_that_never_returns_leaves_callbacks_a_fortieth_of_the_grace_period() {
        for hooks_ended in [0, 1] {
            assert_eq!(ends(hooks_ended), [3, 7]);
        }
        // Hooks that began late leave less.
        assert_eq!(ends(3), [5, 7]);
        assert_eq!(ends(4), [6, 7]);
        assert_eq!(ends(9), [6, 7]);
    }

    #[test]
    fn a_stop_that_is_over_early_waits_until_its_deadline_and_a_fortieth_beyond() {
        let (grace, now) = (Duration::from_secs(16), Instant::now());
        let deadline = now + Duration::from_secs(10);
        let millis = |end: Instant| (end - deadline).as_millis();
        assert_eq!(millis(observers_until(deadline, grace, now)), 300);
        assert_eq!(millis(callbacks_until(Some(deadline), grace, now)), 400);
        assert_eq!(callbacks_until(None, grace, now), now + grace);
    }
}
