//! Restarts of services that have ended, limited by restart intensity and delayed by backoff.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::event::Outcome;
use crate::hook::{Restart, RestartLimit, ServicePolicy};
use crate::process::config::written;

/// Decision after the end of a run.
#[derive(Debug, PartialEq)]
pub(super) enum AfterEnd {
    /// The service has ended for good, in this way.
    Over(Result<(), Outcome>),
    /// The service runs again after a delay.
    Again { after: Outcome, delay: Duration },
}

/// Tracker of the restarts of one service.
pub(super) struct RestartTracker {
    policy: ServicePolicy,
    /// Moments of the latest restarts, at most as many as a window allows; empty if any number is
    /// allowed.
    within_window: VecDeque<Instant>,
    /// Number of restarts since the last run that was longer than the longest delay.
    in_a_row: u32,
}

impl RestartTracker {
    pub(super) fn new(policy: ServicePolicy) -> Self {
        Self { policy, within_window: VecDeque::new(), in_a_row: 0 }
    }

    /// Decides about the next run, after one that took `ran` and ended now.
    pub(super) fn next(
        &mut self,
        end: Result<(), Outcome>,
        ran: Duration,
        now: Instant,
        jitter: fn() -> f64,
    ) -> AfterEnd {
        let ServicePolicy { restart, backoff, max_restarts, .. } = self.policy;
        match (restart, &end) {
            (Restart::Always, _) | (Restart::OnFailure, Err(_)) => {}
            (Restart::OnFailure | Restart::Never, _) => return AfterEnd::Over(end),
        }
        if ran > backoff.cap {
            self.in_a_row = 0;
        }
        let after = end.err().unwrap_or(Outcome::Succeeded);
        if let Some(most) = max_restarts {
            let is_past =
                |&restart: &Instant| now.saturating_duration_since(restart) >= most.within;
            while self.within_window.front().is_some_and(is_past) {
                self.within_window.pop_front();
            }
            if self.within_window.len() >= most.count as usize {
                return AfterEnd::Over(Err(too_many(most, &after)));
            }
            self.within_window.push_back(now);
        }
        let delay = self.delay(jitter());
        self.in_a_row += 1;
        AfterEnd::Again { after, delay }
    }

    /// Returns the delay before the next run. It is doubled each time up to the cap, and then
    /// reduced by up to half at random, so that services that failed together don't come back
    /// together.
    fn delay(&self, jitter: f64) -> Duration {
        let backoff = self.policy.backoff;
        let doubled =
            2_u32.checked_pow(self.in_a_row).and_then(|factor| backoff.first.checked_mul(factor));
        doubled.map_or(backoff.cap, |delay| delay.min(backoff.cap)).mul_f64(0.5 + jitter / 2.0)
    }
}

fn too_many(most: RestartLimit, last: &Outcome) -> Outcome {
    let restarts = match most.count {
        1 => "1 restart".to_owned(),
        count => format!("{count} restarts"),
    };
    let how = match last {
        Outcome::Succeeded => "ended without an error".to_owned(),
        failed => failed.to_string(),
    };
    let within = written(most.within);
    Outcome::Failed {
        error: format!("{restarts} within {within} did not help, the last run {how}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_restarts_are_kept_than_a_window_allows() {
        let within = Duration::from_secs(60);
        for (count, every, kept) in [(Some(3), 31, 2), (Some(100), 1, 60), (None, 1, 0)] {
            let max_restarts = count.map(|count| RestartLimit { count, within });
            let restart = Restart::Always;
            let policy = ServicePolicy { restart, max_restarts, ..ServicePolicy::DEFAULT };
            let mut restarts = RestartTracker::new(policy);
            let mut now = Instant::now();
            for _ in 0..1_000 {
                now += Duration::from_secs(every);
                let next = restarts.next(Ok(()), Duration::ZERO, now, || 1.0);
                assert!(matches!(next, AfterEnd::Again { .. }), "{next:?}");
            }
            assert_eq!(restarts.within_window.len(), kept, "{count:?}");
        }
    }
}
