//! Health checks, each with a clock of its own.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::FutureExt;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::{Recurring, RunPermit, start_over, stop_begun};
use crate::event::Event;
use crate::hook::{CheckKind, HealthCheckPolicy, HookMeta, Kind};
use crate::plan::Plan;

/// First runs of the readiness checks. They are the last step of a start, so that a ready run knows
/// their results. Clones share the state.
#[derive(Clone)]
pub(crate) struct FirstChecks(Arc<watch::Sender<FirstRuns>>);

#[derive(Clone, Copy)]
struct FirstRuns {
    may_begin: bool,
    /// Number of first runs that have not ended.
    left: usize,
}

impl FirstChecks {
    /// Makes the first runs of a plan's readiness checks, none of which may begin yet.
    pub(crate) fn of(plan: &Plan) -> Self {
        let checks = plan.of_kind(Kind::HealthCheck).filter_map(HookMeta::health_check);
        let left = checks.filter(|policy| policy.kind == CheckKind::Readiness).count();
        Self(Arc::new(watch::Sender::new(FirstRuns { may_begin: false, left })))
    }

    /// Returns `true` if the plan has no readiness checks.
    pub(crate) fn are_none(&self) -> bool {
        self.0.borrow().left == 0
    }

    /// Lets all first runs begin at once, and waits until each has ended, successfully or not.
    pub(crate) async fn run(&self) {
        self.0.send_modify(|runs| runs.may_begin = true);
        // This can't fail, as `self` keeps the sender.
        let _ = self.0.subscribe().wait_for(|runs| runs.left == 0).await;
    }

    /// Waits until the first runs may begin.
    async fn begun(&self) {
        let _ = self.0.subscribe().wait_for(|runs| runs.may_begin).await;
    }

    /// Notes that one first run has ended.
    fn ended(&self) {
        self.0.send_modify(|runs| runs.left -= 1);
    }
}

impl Recurring {
    /// Returns a future for each health check, which repeats the check for as long as it is to run.
    pub(super) fn checks(&self) -> impl Iterator<Item = impl Future<Output = ()> + Send> {
        let checks = self
            .engine
            .plan
            .of_kind(Kind::HealthCheck)
            .filter_map(|hook| Some((hook, hook.health_check()?)));
        let (first, periodic): (Vec<_>, Vec<_>) =
            checks.partition(|(_, policy)| policy.kind == CheckKind::Startup);
        let number = u32::try_from(periodic.len()).unwrap_or(u32::MAX);
        let first = first.into_iter().map(|(hook, policy)| (hook, policy, Duration::ZERO));
        // The delays follow the place in the plan: no two checks with one interval run at the same
        // time, and every run of the program has them at the same times.
        let spread = (0..)
            .zip(periodic)
            .map(move |(at, (hook, policy))| (hook, policy, policy.interval / number * at));
        first.chain(spread).map(|(hook, policy, delay)| self.check(hook, policy, delay))
    }

    async fn check(&self, hook: &'static HookMeta, policy: HealthCheckPolicy, mut delay: Duration) {
        if !self.may_begin(hook, policy).await {
            return;
        }
        let mut progress = self.progress.clone();
        let mut permit = RunPermit::of(hook);
        if policy.kind == CheckKind::Readiness {
            let passed = self.run_check(&mut permit).await;
            self.first_checks.ended();
            if passed.is_none() || !start_over(&mut progress).await {
                return;
            }
            if delay.is_zero() {
                delay = policy.interval;
            }
        }
        let mut next = Instant::now() + delay;
        loop {
            tokio::select! {
                biased;
                () = stop_begun(&mut progress) => return,
                () = sleep_until(next) => {}
            }
            next = following(next, Instant::now(), policy.interval);
            let Some(passed) = self.run_check(&mut permit).await else { return };
            // A startup check that has passed is not repeated.
            if policy.kind == CheckKind::Startup && passed {
                return;
            }
        }
    }

    /// Runs a check once and records its result. Returns `true` if it passed, and `None` if a stop
    /// came first.
    async fn run_check(&self, permit: &mut RunPermit) -> Option<bool> {
        let (outcome, took) = self.once(permit).boxed().await?;
        let hook = permit.hook;
        let passed = !outcome.is_failure();
        if let Some(passes) = self.checks.record(hook, &outcome, took) {
            let error = Some(outcome).filter(|_| !passed);
            self.engine.events.emit(&Event::Health { hook, passes, error });
        }
        Some(passed)
    }

    /// Waits until a check may begin. Returns `false` if a stop comes first.
    async fn may_begin(&self, hook: &'static HookMeta, policy: HealthCheckPolicy) -> bool {
        let mut progress = self.progress.clone();
        match policy.kind {
            CheckKind::Liveness => start_over(&mut progress).await,
            CheckKind::Readiness => tokio::select! {
                biased;
                () = self.first_checks.begun() => true,
                is_over = start_over(&mut progress) => is_over,
            },
            CheckKind::Startup => {
                let needs: Vec<_> = hook.needs().map(|needed| needed.id).collect();
                tokio::select! {
                    biased;
                    () = self.engine.scope.have_started(&needs) => true,
                    is_over = start_over(&mut progress) => is_over,
                }
            }
        }
    }
}

/// Returns the moment of the next run after the one planned for `time`, which has come a little
/// late. It follows from the plan and not from `now`: otherwise checks at different times would
/// come together as time goes by. A missed run is not made up for.
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
            assert_eq!(
                following(begin, now, interval),
                begin + Duration::from_millis(next),
                "{late} ms late"
            );
        }
    }
}
