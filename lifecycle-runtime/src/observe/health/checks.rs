//! Results of the health checks: recorded when a check ends, read by the probes at any time.

mod figures;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use serde::Serialize;
use tokio::time::Instant;

use super::Probe;
use crate::event::{Outcome, as_millis, as_millis_if_any, readable};
use crate::hook::id::HookMap;
use crate::hook::state::State;
use crate::hook::{CheckKind, HealthCheckPolicy, HookMeta};
pub(crate) use figures::CheckFigures;

/// Health checks of a run, each with its last result. Clones share the checks.
#[derive(Clone, Default)]
pub(crate) struct Checks(Arc<Mutex<CheckStates>>);

/// Number of runs of a check that are kept.
const KEPT_RUNS: usize = 20;

#[derive(Default)]
struct CheckStates {
    checks: Vec<CheckState>,
    /// Position of each check.
    positions: HookMap<usize>,
}

struct CheckState {
    hook: &'static HookMeta,
    policy: HealthCheckPolicy,
    /// Number of failures in a row.
    failures: u32,
    /// Set if these are enough to count.
    fails: bool,
    has_passed: bool,
    /// Last runs, the latest at the end.
    runs: VecDeque<CheckRun>,
}

/// Age up to which the last result of a check counts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Freshness {
    /// The interval and the timeout of the check, and this time beyond them.
    Within(Duration),
    /// Any age.
    Any,
}

impl Freshness {
    /// Returns the freshness that counts in this state: in a stop no check runs any more.
    pub(crate) fn of(state: State, stall_after: Duration) -> Self {
        if state < State::Draining { Self::Within(stall_after) } else { Self::Any }
    }
}

/// Run of a check.
struct CheckRun {
    ended: Instant,
    /// The same moment for those outside of the process.
    ended_at: SystemTime,
    took: Duration,
    /// Outcome of the run, if it failed.
    error: Option<Outcome>,
}

/// Health check, as the answer to a probe shows it.
#[derive(Debug, Serialize)]
pub(super) struct CheckReport {
    name: &'static str,
    status: Status,
    last_error: Option<String>,
    /// Time since the last run ended.
    #[serde(serialize_with = "as_millis_if_any")]
    age: Option<Duration>,
    #[serde(serialize_with = "as_millis_if_any")]
    took: Option<Duration>,
}

/// Health check with its last runs, for operators.
#[derive(Serialize)]
pub(crate) struct CheckHistory {
    hook: String,
    kind: &'static str,
    #[serde(flatten)]
    report: CheckReport,
    /// Number of failures in a row.
    failures: u32,
    /// Number of failures in a row that count.
    limit: u32,
    #[serde(serialize_with = "as_millis")]
    interval: Duration,
    /// Last runs, the latest first.
    history: Vec<CheckRunReport>,
}

#[derive(Serialize)]
struct CheckRunReport {
    /// Time since the run ended.
    #[serde(serialize_with = "as_millis")]
    age: Duration,
    #[serde(serialize_with = "as_millis")]
    took: Duration,
    error: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    /// The check has not run yet.
    Pending,
    Pass,
    Fail,
}

impl Checks {
    pub(crate) fn new(hooks: impl IntoIterator<Item = &'static HookMeta>) -> Self {
        let check = |hook: &'static HookMeta| {
            let policy = hook.health_check()?;
            Some(CheckState {
                hook,
                policy,
                failures: 0,
                fails: false,
                has_passed: false,
                runs: VecDeque::new(),
            })
        };
        let checks: Vec<_> = hooks.into_iter().filter_map(check).collect();
        let positions = (0..).zip(&checks).map(|(at, check)| (check.hook.id, at)).collect();
        Self(Arc::new(Mutex::new(CheckStates { checks, positions })))
    }

    /// Records the result of a run that has ended now. If this changes the state of the check,
    /// returns `true` if the check passes now, and `false` if it fails.
    pub(crate) fn record(
        &self,
        hook: &HookMeta,
        outcome: &Outcome,
        took: Duration,
    ) -> Option<bool> {
        let CheckStates { checks, positions } = &mut *self.lock();
        let check = checks.get_mut(*positions.get(&hook.id)?)?;
        let error = outcome.is_failure().then(|| outcome.clone());
        let (passed, failed) = (check.has_passed, check.fails);
        check.failures = if error.is_some() { check.failures.saturating_add(1) } else { 0 };
        check.has_passed |= error.is_none();
        check.fails = check.failures >= check.limit();
        if check.runs.len() == KEPT_RUNS {
            check.runs.pop_front();
        }
        let (ended, ended_at) = (Instant::now(), SystemTime::now());
        check.runs.push_back(CheckRun { ended, ended_at, took, error });
        // The first success of a startup check is a change. That of any other check is none: it was
        // taken for well.
        let is_first = check.policy.kind == CheckKind::Startup && check.has_passed != passed;
        (is_first || check.fails != failed).then_some(!check.fails)
    }

    /// Returns the reason for which checks keep this probe from passing, if they do.
    pub(super) fn reason(&self, probe: Probe, freshness: Freshness) -> Option<String> {
        let (states, now) = (self.lock(), Instant::now());
        let counting = states.checks.iter().filter(|check| check.counts_for(probe));
        let reasons: Vec<_> =
            counting.filter_map(|check| check.failure_reason(freshness, now)).collect();
        (!reasons.is_empty()).then(|| reasons.join("; "))
    }

    /// Returns the checks that this probe depends on.
    pub(super) fn of(&self, probe: Probe, freshness: Freshness) -> Vec<CheckReport> {
        let now = Instant::now();
        let states = self.lock();
        let counting = states.checks.iter().filter(|check| check.counts_for(probe));
        counting.map(|check| check.report(freshness, now)).collect()
    }

    /// Returns all checks with their last runs.
    pub(crate) fn with_history(&self, freshness: Freshness) -> Vec<CheckHistory> {
        let now = Instant::now();
        self.lock().checks.iter().map(|check| check.history(freshness, now)).collect()
    }

    /// Returns descriptions of the checks that fail.
    pub(crate) fn failing(&self) -> Vec<String> {
        self.lock().checks.iter().filter(|check| check.fails).map(CheckState::reason).collect()
    }

    fn lock(&self) -> MutexGuard<'_, CheckStates> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CheckState {
    /// Returns the number of failures in a row that count. For a process that was never ready, a
    /// single failure of a readiness check counts.
    fn limit(&self) -> u32 {
        let was_ready = self.policy.kind != CheckKind::Readiness || self.has_passed;
        if was_ready { self.policy.failures } else { 1 }
    }

    /// Returns `true` if the check keeps no probe from passing. A process is killed for its
    /// liveness, so a liveness check has to have failed; all other checks have to have passed once.
    fn passes(&self) -> bool {
        match self.policy.kind {
            CheckKind::Startup => self.has_passed,
            CheckKind::Readiness => self.has_passed && !self.fails,
            CheckKind::Liveness => !self.fails,
        }
    }

    /// Returns `true` if a probe depends on this check. A process that has not started is not ready
    /// either, so readiness depends on startup checks until they pass.
    fn counts_for(&self, probe: Probe) -> bool {
        match self.policy.kind {
            CheckKind::Readiness => probe == Probe::Readiness,
            CheckKind::Liveness => probe == Probe::Liveness,
            CheckKind::Startup => {
                probe == Probe::Startup || (probe == Probe::Readiness && !self.has_passed)
            }
        }
    }

    /// Returns the reason for which the check keeps probes from passing, if it does.
    fn failure_reason(&self, freshness: Freshness, now: Instant) -> Option<String> {
        if !self.passes() {
            return Some(self.reason());
        }
        let age = self.stale_since(freshness, now)?;
        let name = self.hook.display_name();
        Some(format!("health check `{name}` not checked for {}", readable(age)))
    }

    /// Returns the age of the last result, if it is too old to count. A startup check that has
    /// passed is not repeated.
    fn stale_since(&self, freshness: Freshness, now: Instant) -> Option<Duration> {
        let Freshness::Within(margin) = freshness else { return None };
        let last = self.runs.back().filter(|_| self.policy.kind != CheckKind::Startup)?;
        let age = now.saturating_duration_since(last.ended);
        let timeout = self.hook.timeout().unwrap_or_default();
        (age > self.policy.interval + timeout + margin).then_some(age)
    }

    fn reason(&self) -> String {
        let name = self.hook.display_name();
        match self.runs.back().and_then(|last| last.error.as_ref()) {
            Some(error) => format!("health check `{name}` {error}"),
            None => format!("health check `{name}` has not passed yet"),
        }
    }

    fn report(&self, freshness: Freshness, now: Instant) -> CheckReport {
        let last = self.runs.back();
        CheckReport {
            name: self.hook.display_name(),
            status: self.status(freshness, now),
            last_error: last.and_then(CheckRun::error),
            age: last.map(|last| last.age(now)),
            took: last.map(|last| last.took),
        }
    }

    fn status(&self, freshness: Freshness, now: Instant) -> Status {
        if self.runs.is_empty() {
            Status::Pending
        } else if self.failure_reason(freshness, now).is_none() {
            Status::Pass
        } else {
            Status::Fail
        }
    }

    fn history(&self, freshness: Freshness, now: Instant) -> CheckHistory {
        let run = |run: &CheckRun| CheckRunReport {
            age: run.age(now),
            took: run.took,
            error: run.error(),
        };
        CheckHistory {
            hook: self.hook.path(),
            kind: self.policy.kind.name(),
            report: self.report(freshness, now),
            failures: self.failures,
            limit: self.limit(),
            interval: self.policy.interval,
            history: self.runs.iter().rev().map(run).collect(),
        }
    }
}

impl CheckRun {
    /// Returns the time since the run ended.
    fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.ended)
    }

    /// Returns the outcome of a run that failed, as a text.
    fn error(&self) -> Option<String> {
        self.error.as_ref().map(ToString::to_string)
    }
}
