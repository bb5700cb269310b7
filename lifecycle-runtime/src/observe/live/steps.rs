//! Number of the steps of a start or a stop, and of those that are done.

use serde::Serialize;

use crate::event::ServiceState;
use crate::hook::Kind;
use crate::hook::state::State;
use crate::observe::report::{RunRecord, ServiceReport};
use crate::plan::Plan;

/// Number of the steps of a start or a stop.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct StepCount {
    /// Number of hooks that have ended, and of services that are ready, or have ended in a stop.
    pub(crate) done: usize,
    /// Number of hooks and services in all.
    pub(crate) total: usize,
}

impl StepCount {
    /// Counts the steps of the start of this plan.
    pub(crate) fn of_start(plan: &Plan, record: &RunRecord) -> Self {
        let kinds = [Kind::Startup, Kind::Ready];
        let ended = kinds.map(|kind| record.ended(kind));
        let planned = kinds.map(|kind| plan.of_kind(kind).count());
        let is_done = |service: &&ServiceReport| match service.state {
            ServiceState::Starting
            | ServiceState::Failing { .. }
            | ServiceState::BackingOff { .. } => service.ready.is_some(),
            ServiceState::Running
            | ServiceState::Stopping
            | ServiceState::Stopped
            | ServiceState::Failed => true,
        };
        Self {
            done: sum(ended) + record.services.entries.iter().filter(is_done).count(),
            total: sum(planned) + plan.of_kind(Kind::Service).count(),
        }
    }

    /// Counts the steps of the stop of this plan.
    pub(crate) fn of_stop(plan: &Plan, record: &RunRecord) -> Self {
        let kinds = [Kind::Drain, Kind::Shutdown];
        let ended = kinds.map(|kind| record.ended(kind));
        let mut planned = kinds.map(|kind| plan.of_kind(kind).count());
        if record.state >= State::Stopping {
            // After a start that failed no drain hook runs.
            planned[0] = ended[0];
        }
        let services = &record.services.entries;
        let is_done = |service: &&ServiceReport| !service.is_alive();
        Self {
            done: sum(ended) + services.iter().filter(is_done).count(),
            total: sum(planned) + services.len(),
        }
    }
}

fn sum(numbers: [usize; 2]) -> usize {
    numbers.iter().sum()
}
