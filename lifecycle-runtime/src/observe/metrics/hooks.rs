//! Families about hooks that run once, and about signal hooks.

use super::family::FamilyUnit;
use super::{FamilyKind, MetricFamily, MetricsSnapshot, SampleValue, Samples};
use crate::event::Outcome;
use crate::hook::{HookMeta, Kind};

pub(super) const FAMILIES: [MetricFamily; 5] = [
    MetricFamily::new(
        "lifecycle_hook_duration",
        FamilyKind::Gauge,
        "Time that a hook ran until its end",
        duration,
    )
    .in_unit(FamilyUnit::Seconds),
    MetricFamily::new(
        "lifecycle_hook_outcome",
        FamilyKind::Gauge,
        "1 for the outcome of a hook or service that has ended for good, or did not run",
        outcome,
    ),
    MetricFamily::new(
        "lifecycle_hook_running",
        FamilyKind::Gauge,
        "Time for which a hook has been running, while it runs",
        running,
    )
    .in_unit(FamilyUnit::Seconds),
    MetricFamily::new(
        "lifecycle_signal_runs",
        FamilyKind::Counter,
        "Number of the runs of a signal hook that have ended, by result",
        signal_runs,
    ),
    MetricFamily::new(
        "lifecycle_signal_duration",
        FamilyKind::Gauge,
        "Time that the last run of a signal hook took",
        signal_duration,
    )
    .in_unit(FamilyUnit::Seconds),
];

fn duration(snapshot: &MetricsSnapshot, samples: &mut Samples<'_>) {
    for ended in &snapshot.record.hooks {
        // A service takes as long as the process serves.
        let has_run = ended.hook.kind != Kind::Service && ended.outcome.has_run();
        if has_run && !ended.is_drop {
            samples(&labels(ended.hook, &ended.hook.path()), ended.took.into());
        }
    }
}

fn outcome(snapshot: &MetricsSnapshot, samples: &mut Samples<'_>) {
    for ended in snapshot.record.hooks.iter().filter(|ended| !ended.is_drop) {
        let path = ended.hook.path();
        let [hook, kind] = labels(ended.hook, &path);
        samples(&[hook, kind, ("outcome", ended.outcome.name())], SampleValue::Count(1));
    }
}

fn running(snapshot: &MetricsSnapshot, samples: &mut Samples<'_>) {
    for (hook, since) in snapshot.record.running() {
        samples(&labels(hook, &hook.path()), snapshot.now.saturating_sub(since).into());
    }
}

fn signal_runs(snapshot: &MetricsSnapshot, samples: &mut Samples<'_>) {
    for hook in snapshot.plan.of_kind(Kind::Signal) {
        runs(snapshot, hook, &[("hook", &hook.path())], samples);
    }
}

fn signal_duration(snapshot: &MetricsSnapshot, samples: &mut Samples<'_>) {
    for hook in snapshot.plan.of_kind(Kind::Signal) {
        let last = snapshot.recurring(hook).and_then(|recurring| recurring.last_took);
        if let Some(took) = last {
            samples(&[("hook", &hook.path())], took.into());
        }
    }
}

/// Passes the numbers of a recurring hook's runs on, by result.
pub(super) fn runs(
    snapshot: &MetricsSnapshot,
    hook: &HookMeta,
    labels: &[(&'static str, &str)],
    samples: &mut Samples<'_>,
) {
    let (runs, failures, cancelled) = snapshot
        .recurring(hook)
        .map_or((0, 0, 0), |recurring| (recurring.runs, recurring.failures, recurring.cancelled));
    let succeeded = runs - failures - cancelled;
    let results = [("succeeded", succeeded), ("failed", failures), ("cancelled", cancelled)];
    for (result, count) in results {
        let labels: Vec<_> = labels.iter().copied().chain([("result", result)]).collect();
        samples(&labels, SampleValue::Count(count));
    }
}

fn labels<'p>(hook: &HookMeta, path: &'p str) -> [(&'static str, &'p str); 2] {
    [("hook", path), ("kind", hook.kind.attribute())]
}

impl Outcome {
    /// Returns the name of the outcome, as documents have it.
    const fn name(&self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed { .. } => "failed",
            Self::Panicked { .. } => "panicked",
            Self::TimedOut { .. } => "timed_out",
            Self::Blocked => "blocked",
            Self::Cancelled { .. } => "cancelled",
            Self::NotBegun { .. } => "not_begun",
            Self::Skipped { .. } => "skipped",
        }
    }

    /// Returns whether the hook's function was called.
    const fn has_run(&self) -> bool {
        !matches!(self, Self::NotBegun { .. } | Self::Skipped { .. })
    }
}
