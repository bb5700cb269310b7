//! Figures of a run at one moment, which metrics are made of.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::hook::HookMeta;
use crate::observe::health::CheckFigures;
use crate::observe::report::{RecurringReport, RunRecord};
use crate::plan::Plan;
use crate::process::info::Info;
use crate::process::stalls::StallTotal;

/// Figures of a run at one moment.
pub(crate) struct MetricsSnapshot {
    pub(crate) plan: Arc<Plan>,
    pub(crate) record: RunRecord,
    pub(crate) checks: Vec<CheckFigures>,
    pub(crate) stalls: Vec<StallTotal>,
    /// Servers that have been opened, in that order.
    pub(crate) servers: Vec<ServerCounts>,
    pub(crate) tasks: TaskCounts,
    pub(crate) info: Info,
    pub(crate) began_at: SystemTime,
    /// Time since the beginning of the run.
    pub(crate) now: Duration,
}

/// Counts of the traffic of one server until now.
#[derive(Clone, Default)]
pub(crate) struct ServerCounts {
    /// First address of the server, as a URL.
    pub(crate) url: String,
    pub(crate) in_flight: u64,
    pub(crate) finished: u64,
    pub(crate) cut: u64,
    pub(crate) refused: u64,
    pub(crate) panicked: u64,
    pub(crate) abandoned: u64,
    pub(crate) failed: u64,
    /// Open connections.
    pub(crate) open: Vec<ConnectionCount>,
    pub(crate) connections_closed: u64,
    pub(crate) connections_cut: u64,
    pub(crate) connections_unaccepted: u64,
}

/// Number of a server's connections of one protocol and state.
#[derive(Clone)]
pub(crate) struct ConnectionCount {
    pub(crate) protocol: &'static str,
    pub(crate) state: &'static str,
    pub(crate) count: u64,
}

/// Counts of the tasks of request handlers until now.
#[derive(Clone, Default)]
pub(crate) struct TaskCounts {
    pub(crate) running: u64,
    pub(crate) finished: u64,
    pub(crate) cut: u64,
    pub(crate) panicked: u64,
}

impl MetricsSnapshot {
    /// Returns the runs of a recurring hook, if it has begun.
    pub(super) fn recurring(&self, hook: &HookMeta) -> Option<&RecurringReport> {
        self.record.recurring.find(hook)
    }
}
