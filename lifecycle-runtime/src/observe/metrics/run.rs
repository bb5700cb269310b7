//! Families about the run as a whole.

use std::time::{Duration, SystemTime};

use super::family::{FamilyUnit, state_set};
use super::{FamilyKind, MetricFamily, MetricsSnapshot, SampleValue, Samples};
use crate::hook::state::State;

pub(super) const FAMILIES: [MetricFamily; 9] = [
    MetricFamily::new(
        "lifecycle_build",
        FamilyKind::Info,
        "The program, with the versions of the compiler and of the framework",
        build,
    ),
    MetricFamily::new(
        "lifecycle_start_time",
        FamilyKind::Gauge,
        "Beginning of the run, since the Unix epoch",
        start_time,
    )
    .in_unit(FamilyUnit::Seconds),
    MetricFamily::new("lifecycle_state", FamilyKind::Gauge, "State of the run", state),
    MetricFamily::new(
        "lifecycle_time_to_ready",
        FamilyKind::Gauge,
        "Time that the start took until the run was ready",
        time_to_ready,
    )
    .in_unit(FamilyUnit::Seconds),
    MetricFamily::new(
        "lifecycle_grace_period",
        FamilyKind::Gauge,
        "Time that the stop may take",
        grace,
    )
    .in_unit(FamilyUnit::Seconds),
    MetricFamily::new(
        "lifecycle_grace_period_used",
        FamilyKind::Gauge,
        "Share of the grace period that the stop has used",
        grace_used,
    )
    .in_unit(FamilyUnit::Ratio),
    MetricFamily::new(
        "lifecycle_stop_duration",
        FamilyKind::Gauge,
        "Time that the stop has taken",
        stop_duration,
    )
    .in_unit(FamilyUnit::Seconds),
    MetricFamily::new(
        "lifecycle_drain_duration",
        FamilyKind::Gauge,
        "Time from the beginning of the stop until the last server was closed",
        drain_duration,
    )
    .in_unit(FamilyUnit::Seconds),
    MetricFamily::new(
        "lifecycle_stop_hurried",
        FamilyKind::Gauge,
        "1 once the stop no longer waits for requests and services",
        hurried,
    ),
];

/// States of a run, in their order.
const STATES: [&str; 5] = ["starting", "ready", "draining", "stopping", "stopped"];

fn build(snapshot: &MetricsSnapshot, samples: &mut Samples<'_>) {
    let mut labels: Vec<_> = snapshot.info.known().collect();
    labels.extend(option_env!("RUSTC_VERSION_OF_BUILD").map(|version| ("rust", version)));
    labels.push(("lifecycle", env!("CARGO_PKG_VERSION")));
    samples(&labels, SampleValue::Count(1));
}

fn start_time(snapshot: &MetricsSnapshot, samples: &mut Samples<'_>) {
    let since_epoch = snapshot.began_at.duration_since(SystemTime::UNIX_EPOCH);
    samples(&[], since_epoch.unwrap_or_default().into());
}

fn state(snapshot: &MetricsSnapshot, samples: &mut Samples<'_>) {
    state_set("state", &STATES, &snapshot.record.state.to_string(), &[], samples);
}

fn time_to_ready(snapshot: &MetricsSnapshot, samples: &mut Samples<'_>) {
    let record = &snapshot.record;
    if let Some(ended) = record.start_ended
        && record.error.is_none()
        && !record.was_interrupted
    {
        samples(&[], ended.into());
    }
}

fn grace(snapshot: &MetricsSnapshot, samples: &mut Samples<'_>) {
    samples(&[], snapshot.plan.grace().into());
}

fn grace_used(snapshot: &MetricsSnapshot, samples: &mut Samples<'_>) {
    if let (Some(took), Some(grace)) = (stop_took(snapshot), snapshot.record.grace)
        && !grace.is_zero()
    {
        samples(&[], SampleValue::Number(took.as_secs_f64() / grace.as_secs_f64()));
    }
}

fn stop_duration(snapshot: &MetricsSnapshot, samples: &mut Samples<'_>) {
    if let Some(took) = stop_took(snapshot) {
        samples(&[], took.into());
    }
}

fn drain_duration(snapshot: &MetricsSnapshot, samples: &mut Samples<'_>) {
    if let Some(took) = snapshot.record.drain_took {
        samples(&[], took.into());
    }
}

fn hurried(snapshot: &MetricsSnapshot, samples: &mut Samples<'_>) {
    if snapshot.record.stop_began.is_some() {
        samples(&[], SampleValue::flag(snapshot.record.hurried));
    }
}

/// Returns the time that the stop has taken, if it has begun.
fn stop_took(snapshot: &MetricsSnapshot) -> Option<Duration> {
    let record = &snapshot.record;
    let end = if record.state == State::Stopped { record.state_since } else { snapshot.now };
    record.stop_began.map(|began| end.saturating_sub(began))
}
