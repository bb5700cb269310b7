//! What came of the health checks: recorded when one ends, read by the probes at any time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Serialize, Serializer};
use tokio::time::Instant;

use super::Probe;
use crate::event::{Outcome, millis};
use crate::hook::{CheckKind, HealthCheckPolicy, HookMeta};

/// The health checks of a run, each with its last result. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Checks(Arc<Mutex<Vec<CheckState>>>);

struct CheckState {
    hook: &'static HookMeta,
    policy: HealthCheckPolicy,
    /// How often in a row it has failed.
    failures: u32,
    /// Set if that is often enough to count.
    fails: bool,
    has_passed: bool,
    last: Option<Last>,
}

/// The last run of a check.
struct Last {
    ended: Instant,
    took: Duration,
    error: Option<String>,
}

/// One check, as a probe tells of it.
#[derive(Debug, Serialize)]
pub(super) struct CheckReport {
    name: &'static str,
    status: Status,
    last_error: Option<String>,
    /// Since the last run ended.
    #[serde(serialize_with = "as_millis")]
    age: Option<Duration>,
    #[serde(serialize_with = "as_millis")]
    took: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    /// It has not run yet.
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
                last: None,
            })
        };
        Self(Arc::new(Mutex::new(hooks.into_iter().filter_map(check).collect())))
    }

    /// Keeps the result of a run that has ended now. Returns whether the check passes, if that
    /// has changed.
    pub(crate) fn record(
        &self,
        hook: &HookMeta,
        outcome: &Outcome,
        took: Duration,
    ) -> Option<bool> {
        let mut checks = self.lock();
        let check = checks.iter_mut().find(|check| check.hook == hook)?;
        let error = outcome.is_failure().then(|| outcome.to_string());
        let (passed, failed) = (check.has_passed, check.fails);
        check.failures = if error.is_some() { check.failures.saturating_add(1) } else { 0 };
        check.has_passed |= error.is_none();
        check.fails = check.failures >= check.limit();
        check.last = Some(Last { ended: Instant::now(), took, error });
        // The end of a start is a change; that it is as well as it was taken for is none.
        let is_first = check.policy.kind == CheckKind::Startup && check.has_passed != passed;
        (is_first || check.fails != failed).then_some(!check.fails)
    }

    /// Why the checks keep this probe from passing, if they do.
    pub(super) fn reason(&self, probe: Probe) -> Option<String> {
        let checks = self.lock();
        let failing = checks.iter().filter(|check| check.counts_for(probe) && !check.passes());
        let reasons: Vec<_> = failing.map(CheckState::reason).collect();
        (!reasons.is_empty()).then(|| reasons.join("; "))
    }

    /// The checks that this probe is about.
    pub(super) fn of(&self, probe: Probe) -> Vec<CheckReport> {
        let now = Instant::now();
        self.lock()
            .iter()
            .filter(|check| check.counts_for(probe))
            .map(|check| check.told(now))
            .collect()
    }

    /// Those that do not pass, for people.
    pub(crate) fn failing(&self) -> Vec<String> {
        self.lock().iter().filter(|check| check.fails).map(CheckState::reason).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<CheckState>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CheckState {
    /// Returns how many failures in a row count: a process that was never ready is not by a
    /// failure.
    fn limit(&self) -> u32 {
        let was_ready = self.policy.kind != CheckKind::Readiness || self.has_passed;
        if was_ready { self.policy.failures } else { 1 }
    }

    /// Returns whether it keeps no probe from passing. Whoever kills a process for its liveness
    /// needs a reason; all other checks have to pass once.
    fn passes(&self) -> bool {
        match self.policy.kind {
            CheckKind::Startup => self.has_passed,
            CheckKind::Readiness => self.has_passed && !self.fails,
            CheckKind::Liveness => !self.fails,
        }
    }

    /// A process that is not started is not ready either.
    fn counts_for(&self, probe: Probe) -> bool {
        match self.policy.kind {
            CheckKind::Readiness => probe == Probe::Readiness,
            CheckKind::Liveness => probe == Probe::Liveness,
            CheckKind::Startup => {
                probe == Probe::Startup || (probe == Probe::Readiness && !self.has_passed)
            }
        }
    }

    fn reason(&self) -> String {
        let name = self.hook.display_name();
        match self.last.as_ref().and_then(|last| last.error.as_deref()) {
            Some(error) => format!("health check `{name}` {error}"),
            None => format!("health check `{name}` has not passed yet"),
        }
    }

    fn told(&self, now: Instant) -> CheckReport {
        let status = match (&self.last, self.passes()) {
            (None, _) => Status::Pending,
            (_, true) => Status::Pass,
            (_, false) => Status::Fail,
        };
        CheckReport {
            name: self.hook.display_name(),
            status,
            last_error: self.last.as_ref().and_then(|last| last.error.clone()),
            age: self.last.as_ref().map(|last| now.saturating_duration_since(last.ended)),
            took: self.last.as_ref().map(|last| last.took),
        }
    }
}

#[allow(clippy::ref_option, reason = "serde's signature")]
fn as_millis<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    duration.map(millis).serialize(serializer)
}
