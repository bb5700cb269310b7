//! Health checks, each by its own clock.

use std::time::Duration;

use futures_util::future::FutureExt;
use tokio::time::{Instant, sleep_until};

use super::{Recurring, Turn, start_over, stop_begun};
use crate::event::Event;
use crate::hook::{CheckKind, HealthCheckPolicy, HookMeta, Kind};

impl Recurring {
    /// Every health check, for as long as it is to run.
    pub(super) fn checks(&self) -> impl Iterator<Item = impl Future<Output = ()> + Send> {
        let checks = self.plan.of_kind(Kind::HealthCheck).filter_map(|hook| Some((hook, hook.health_check()?)));
        let (first, periodic): (Vec<_>, Vec<_>) = checks.partition(|(_, policy)| policy.kind == CheckKind::Startup);
        let number = u32::try_from(periodic.len()).unwrap_or(u32::MAX);
        let first = first.into_iter().map(|(hook, policy)| (hook, policy, Duration::ZERO));
        // By their place in the plan, so that no two of one interval run at the same time, and each run of the program has
        // them at the same times.
        let spread = (0..).zip(periodic).map(move |(at, (hook, policy))| (hook, policy, policy.interval / number * at));
        first.chain(spread).map(|(hook, policy, delay)| self.check(hook, policy, delay))
    }

    async fn check(&self, hook: &'static HookMeta, policy: HealthCheckPolicy, delay: Duration) {
        if !self.may_begin(hook, policy).await {
            return;
        }
        let mut progress = self.progress.clone();
        let turn = Turn::of(hook);
        let mut next = Instant::now() + delay;
        loop {
            tokio::select! {
                biased;
                () = stop_begun(&mut progress) => return,
                () = sleep_until(next) => {}
            }
            next = following(next, Instant::now(), policy.interval);
            let Some((outcome, took)) = self.once(&turn).boxed().await else { return };
            let error = outcome.is_failure().then(|| outcome.to_string());
            if let Some(passes) = self.checks.record(hook, &outcome, took) {
                self.events.emit(&Event::Health { hook, passes, error: error.clone() });
            }
            // A start is over once.
            if policy.kind == CheckKind::Startup && error.is_none() {
                return;
            }
        }
    }

    /// Waits until it is time for a check. `false` if a stop comes first.
    async fn may_begin(&self, hook: &'static HookMeta, policy: HealthCheckPolicy) -> bool {
        let mut progress = self.progress.clone();
        if policy.kind != CheckKind::Startup {
            return start_over(&mut progress).await;
        }
        let needs: Vec<_> = hook.needs().map(|needed| needed.id).collect();
        tokio::select! {
            biased;
            () = self.scope.have_started(&needs) => true,
            is_over = start_over(&mut progress) => is_over,
        }
    }
}

/// The time after this one, which has come a little late: by the clock, or what runs at different times would come together
/// as time goes by. One that was missed is not made up for.
fn following(time: Instant, now: Instant, interval: Duration) -> Instant {
    match time + interval {
        next if next > now => next,
        _ => now + interval,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_comes_late_does_not_put_off_the_next() {
        let (begin, interval) = (Instant::now(), Duration::from_millis(100));
        for (late, next) in [(0, 100), (1, 100), (99, 100), (100, 200), (900, 1_000)] {
            let now = begin + Duration::from_millis(late);
            assert_eq!(following(begin, now, interval), begin + Duration::from_millis(next), "{late} ms late");
        }
    }
}
