//! Figures of health checks, for metrics.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::{CheckState, Checks, Freshness, Status};
use crate::hook::HookMeta;

/// Figures of a health check.
pub(crate) struct CheckFigures {
    pub(crate) hook: &'static HookMeta,
    /// Name of the probe that depends on the check: that of its kind.
    pub(crate) probe: &'static str,
    /// Name of the status, as probes show it.
    pub(crate) status: &'static str,
    /// Number of failures in a row.
    pub(crate) failures: u32,
    /// Time that the last run took.
    pub(crate) took: Option<Duration>,
    /// Moment at which the last run ended.
    pub(crate) ended_at: Option<SystemTime>,
}

impl Checks {
    /// Returns the figures of all checks.
    pub(crate) fn figures(&self, freshness: Freshness) -> Vec<CheckFigures> {
        let now = Instant::now();
        self.lock().checks.iter().map(|check| check.figures(freshness, now)).collect()
    }
}

impl CheckState {
    fn figures(&self, freshness: Freshness, now: Instant) -> CheckFigures {
        let last = self.runs.back();
        CheckFigures {
            hook: self.hook,
            probe: self.policy.kind.name(),
            status: self.status(freshness, now).name(),
            failures: self.failures,
            took: last.map(|last| last.took),
            ended_at: last.map(|last| last.ended_at),
        }
    }
}

impl Status {
    /// Returns the name of the status, as it is in JSON.
    const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Pass => "pass",
            Self::Fail => "fail",
        }
    }
}
