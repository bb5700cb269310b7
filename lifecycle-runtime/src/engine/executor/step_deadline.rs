//! Deadline of each step: its share of the time of its phase, which `plan/budget.rs` sets, and its
//! own timeout.

use std::time::Duration;

use tokio::time::Instant;

use super::Deadline;
use crate::event::Limit;
use crate::hook::HookMeta;
use crate::plan::Budget;

/// Shortest time that is worth beginning a hook for, unless the hook keeps less of a stop. Timers
/// are no more precise than that: a hook with less would be begun and cancelled at once.
const WORTH_BEGINNING: Duration = Duration::from_millis(1);

/// Part of the time between the end of a phase and its latest end in which the last steps may be
/// abandoned.
const DROP_PART: u32 = 4;

/// Time of a phase of the stop.
#[derive(Clone, Copy)]
pub(crate) struct PhaseTime<'b> {
    pub(crate) budget: &'b Budget,
    /// Moment at which the phase is to be over.
    pub(crate) end: Instant,
    /// Moment at which the phase is over even if steps begin late. A margin pays for the delay, so
    /// that the steps behind lose nothing.
    pub(crate) latest: Instant,
}

impl PhaseTime<'_> {
    /// Returns the time of a step that may begin now. The steps behind it keep their time, and it
    /// keeps its own even if it begins late.
    pub(super) fn of_step(&self, step: usize, now: Instant) -> Deadline {
        let Self { budget, end, latest } = *self;
        let planned = end.checked_sub(budget.behind(step)).unwrap_or(end);
        let latest = latest.checked_sub(budget.behind(step)).unwrap_or(latest);
        let abandon_at = planned.max(latest.min(now + budget.kept(step)));
        let cancel_at = abandon_at.checked_sub(budget.margin(step)).unwrap_or(abandon_at);
        let is_last = budget.margin(step).is_zero() && budget.behind(step).is_zero();
        // Only the report waits for a last step. A part of its time goes to the drop of what was
        // cancelled, which needs a free thread.
        let more = if is_last { (self.latest - end) / DROP_PART } else { Duration::ZERO };
        Deadline { cancel_at, limit: Limit::Grace, abandon_at: abandon_at + more }
    }

    /// Returns `true` if a hook that begins now can do something before it is cancelled.
    pub(super) fn is_worth_beginning(&self, step: usize, share: Deadline, now: Instant) -> bool {
        let left = share.cancel_at.saturating_duration_since(now);
        !left.is_zero() && left >= WORTH_BEGINNING.min(self.budget.kept(step) / 2)
    }
}

/// Returns `true` if a hook of the start that begins now can do something before it is cancelled.
pub(super) fn is_worth_starting(of_phase: Deadline, now: Instant) -> bool {
    of_phase.cancel_at.saturating_duration_since(now) >= WORTH_BEGINNING
}

/// Returns the time of a hook: its own timeout, and at most the time of its phase.
pub(super) fn own_time(hook: &HookMeta, now: Instant, of_phase: Deadline) -> Deadline {
    match hook.timeout.and_then(|timeout| now.checked_add(timeout)) {
        Some(own) if own <= of_phase.cancel_at => {
            Deadline { cancel_at: own, limit: Limit::Timeout, ..of_phase }
        }
        _ => of_phase,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Timetable, sample};
    use crate::process::config::Config;

    fn millis(moment: Instant, since: Instant) -> u128 {
        moment.saturating_duration_since(since).as_millis()
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_that_begins_late_has_its_own_time_and_a_margin_takes_that_up() {
        let plan = sample::plan("stop a timeout 1000; stop b after a timeout 500").expect("valid");
        let config = Config { grace: Duration::from_secs(2), ..Config::default() };
        let timetable = Timetable::new(&plan, config.stop_settings(false));
        let budget = timetable.shutdown_budget();
        let (a, b) = (0, 1);
        let began = Instant::now();
        let end = began + Duration::from_millis(1_900);
        let time = PhaseTime { budget, end, latest: end + Duration::from_millis(50) };
        // It may run until what is left is the time that `b` keeps, less the margin in which it is
        // abandoned.
        let share = time.of_step(a, began);
        assert_eq!(
            (millis(share.cancel_at, began), millis(share.abandon_at, began)),
            (1_300, 1_400)
        );
        // `b` would have 480 ms left.
        let late = began + Duration::from_millis(1_420);
        let share = time.of_step(b, late);
        assert_eq!(millis(share.cancel_at, late), 500);
        // As nobody waits for it, it has a quarter of the margin to be dropped in.
        assert_eq!(millis(share.abandon_at, late), 512);
        assert!(time.is_worth_beginning(b, share, late));
        // A step with another behind it leaves that one its own.
        let share = time.of_step(a, began + Duration::from_millis(1_000));
        assert_eq!(millis(share.abandon_at, began), 1_450);
        // It gets nothing beyond the margin.
        let later = began + Duration::from_millis(1_800);
        assert_eq!(millis(time.of_step(b, later).cancel_at, later), 150);
        // A hook that would have next to no time is not begun.
        let last = time.latest - Duration::from_micros(500);
        assert!(!time.is_worth_beginning(b, time.of_step(b, last), last));
    }
}
