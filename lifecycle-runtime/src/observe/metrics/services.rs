//! Families about services.

use super::family::{FamilyUnit, state_set};
use super::{FamilyKind, MetricFamily, MetricsSnapshot, SampleValue, Samples};
use crate::event::ServiceState;
use crate::hook::Kind;
use crate::observe::report::ServiceReport;

pub(super) const FAMILIES: [MetricFamily; 3] = [
    MetricFamily::new(
        "lifecycle_service_state",
        FamilyKind::Gauge,
        "State of a service that has begun",
        state,
    ),
    MetricFamily::new(
        "lifecycle_service_restarts",
        FamilyKind::Counter,
        "Number of the restarts of a service",
        restarts,
    ),
    MetricFamily::new(
        "lifecycle_service_time_to_ready",
        FamilyKind::Gauge,
        "Time that a service took until it was ready for the first time",
        time_to_ready,
    )
    .in_unit(FamilyUnit::Seconds),
];

/// States of a service.
const STATES: [&str; 7] =
    ["starting", "running", "failing", "backing_off", "stopping", "stopped", "failed"];

fn state(snapshot: &MetricsSnapshot, samples: &mut Samples<'_>) {
    for service in &snapshot.record.services.entries {
        let path = service.hook.path();
        state_set("state", &STATES, name(&service.state), &[("hook", &path)], samples);
    }
}

fn restarts(snapshot: &MetricsSnapshot, samples: &mut Samples<'_>) {
    for hook in snapshot.plan.of_kind(Kind::Service) {
        let service = snapshot.record.services.find(hook);
        let restarts = service.map_or(0, |service| service.restarts);
        samples(&[("hook", &hook.path())], SampleValue::Count(restarts.into()));
    }
}

fn time_to_ready(snapshot: &MetricsSnapshot, samples: &mut Samples<'_>) {
    for &ServiceReport { hook, began, ready, .. } in &snapshot.record.services.entries {
        if let Some(ready) = ready {
            samples(&[("hook", &hook.path())], ready.saturating_sub(began).into());
        }
    }
}

/// Returns the name of a state, as documents have it.
const fn name(state: &ServiceState) -> &'static str {
    match state {
        ServiceState::Starting => "starting",
        ServiceState::Running => "running",
        ServiceState::Failing { .. } => "failing",
        ServiceState::BackingOff { .. } => "backing_off",
        ServiceState::Stopping => "stopping",
        ServiceState::Stopped => "stopped",
        ServiceState::Failed => "failed",
    }
}
