//! Families about health checks.

use std::time::SystemTime;

use super::family::{FamilyUnit, state_set};
use super::hooks::runs;
use super::{FamilyKind, MetricFamily, MetricsSnapshot, SampleValue, Samples};
use crate::observe::health::CheckFigures;

pub(super) const FAMILIES: [MetricFamily; 5] = [
    MetricFamily::new(
        "lifecycle_check_status",
        FamilyKind::Gauge,
        "Status of a health check, as probes show it",
        status,
    ),
    MetricFamily::new(
        "lifecycle_check_runs",
        FamilyKind::Counter,
        "Number of the runs of a health check that have ended, by result",
        check_runs,
    ),
    MetricFamily::new(
        "lifecycle_check_consecutive_failures",
        FamilyKind::Gauge,
        "Number of failures in a row until now",
        failures,
    ),
    MetricFamily::new(
        "lifecycle_check_duration",
        FamilyKind::Gauge,
        "Time that the last run of a health check took",
        duration,
    )
    .in_unit(FamilyUnit::Seconds),
    MetricFamily::new(
        "lifecycle_check_last_run_timestamp",
        FamilyKind::Gauge,
        "End of the last run of a health check, since the Unix epoch",
        last_run,
    )
    .in_unit(FamilyUnit::Seconds),
];

/// Statuses of a health check.
const STATUSES: [&str; 3] = ["pending", "pass", "fail"];

fn status(snapshot: &MetricsSnapshot, samples: &mut Samples<'_>) {
    for check in &snapshot.checks {
        let path = check.hook.path();
        state_set("status", &STATUSES, check.status, &labels(check, &path), samples);
    }
}

fn check_runs(snapshot: &MetricsSnapshot, samples: &mut Samples<'_>) {
    for check in &snapshot.checks {
        runs(snapshot, check.hook, &labels(check, &check.hook.path()), samples);
    }
}

fn failures(snapshot: &MetricsSnapshot, samples: &mut Samples<'_>) {
    for check in &snapshot.checks {
        let failures = SampleValue::Count(check.failures.into());
        samples(&labels(check, &check.hook.path()), failures);
    }
}

fn duration(snapshot: &MetricsSnapshot, samples: &mut Samples<'_>) {
    for check in &snapshot.checks {
        if let Some(took) = check.took {
            samples(&labels(check, &check.hook.path()), took.into());
        }
    }
}

fn last_run(snapshot: &MetricsSnapshot, samples: &mut Samples<'_>) {
    for check in &snapshot.checks {
        let ended = check.ended_at.and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
        if let Some(ended) = ended {
            samples(&labels(check, &check.hook.path()), ended.into());
        }
    }
}

fn labels<'p>(check: &CheckFigures, path: &'p str) -> [(&'static str, &'p str); 2] {
    [("hook", path), ("probe", check.probe)]
}
