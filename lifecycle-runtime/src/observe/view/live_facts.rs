//! Facts of the moment, which no record has: waits, stalls, and the answers of probes.

use std::time::Duration;

use serde::Serialize;

use crate::event::{
    HookFailure, Probe, RequestInfo, StalledPart, Wait, as_millis, stalled, stalled_by,
};
use crate::hook::HookMeta;
use crate::observe::health::Health;

/// Facts of the moment.
pub(super) struct LiveFacts {
    /// Things that a start or a stop waits for.
    pub(super) waits: Vec<Wait>,
    pub(super) stalls: Vec<StallJson>,
    pub(super) probes: ProbesJson,
}

/// Something that a start or a stop waits for, with its text.
#[derive(Serialize)]
pub(super) struct WaitJson {
    text: String,
    #[serde(flatten)]
    wait: TypedWait,
}

/// Something that a start or a stop waits for, as fields.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum TypedWait {
    Hook {
        #[serde(flatten)]
        hook: WaitingHook,
        #[serde(serialize_with = "as_millis")]
        running: Duration,
    },
    Service {
        #[serde(flatten)]
        hook: WaitingHook,
        #[serde(serialize_with = "as_millis")]
        running: Duration,
        /// Failure of its last run that failed, if it is not ready yet.
        last_error: Option<String>,
    },
    Requests {
        count: usize,
        /// Those that have been in flight the longest.
        requests: Vec<RequestInfo>,
    },
    Tasks {
        count: usize,
        /// Requests of the tasks that have been running the longest.
        requests: Vec<RequestInfo>,
    },
    Connections {
        count: u64,
    },
    BlockedWorkers {
        count: usize,
    },
    BlockingPools {
        count: usize,
    },
    Apps {
        count: usize,
    },
    DrainDelay {
        #[serde(serialize_with = "as_millis")]
        left: Duration,
    },
    Value {
        #[serde(flatten)]
        hook: WaitingHook,
        /// Number of the others that hold it; 0 while it is being dropped.
        others: usize,
    },
    Observers {
        #[serde(serialize_with = "as_millis")]
        running: Duration,
    },
    Publication {
        #[serde(serialize_with = "as_millis")]
        running: Duration,
    },
}

#[derive(Serialize)]
struct WaitingHook {
    hook: String,
    name: &'static str,
}

impl WaitingHook {
    fn of(hook: &HookMeta) -> Self {
        Self { hook: hook.path(), name: hook.display_name() }
    }
}

impl WaitJson {
    pub(super) fn of(wait: &Wait) -> Self {
        Self { text: wait.to_string(), wait: TypedWait::of(wait) }
    }
}

impl TypedWait {
    fn of(wait: &Wait) -> Self {
        match wait {
            Wait::Hook { hook, running } => {
                Self::Hook { hook: WaitingHook::of(hook), running: *running }
            }
            Wait::Service { hook, running, last_error, .. } => Self::Service {
                hook: WaitingHook::of(hook),
                running: *running,
                last_error: last_error.as_ref().map(HookFailure::to_string),
            },
            Wait::Requests { count, longest } => {
                Self::Requests { count: *count, requests: longest.clone() }
            }
            Wait::Tasks { count, longest } => {
                Self::Tasks { count: *count, requests: longest.clone() }
            }
            Wait::Connections { count } => Self::Connections { count: *count },
            Wait::BlockedWorkers { count } => Self::BlockedWorkers { count: *count },
            Wait::BlockingPools { count } => Self::BlockingPools { count: *count },
            Wait::Apps { count } => Self::Apps { count: *count },
            Wait::DrainDelay { left } => Self::DrainDelay { left: *left },
            Wait::Value { hook, others } => {
                Self::Value { hook: WaitingHook::of(hook), others: *others }
            }
            Wait::Observers { running } => Self::Observers { running: *running },
            Wait::Publication { running } => Self::Publication { running: *running },
        }
    }
}

/// Part of the process that is stalled.
#[derive(Serialize)]
pub(super) struct StallJson {
    stalled: String,
    #[serde(flatten)]
    part: StalledPart,
    /// Time for which it has been.
    #[serde(serialize_with = "as_millis")]
    time: Duration,
    /// Code that holds it.
    holders: Vec<String>,
    /// Text about the stall, as the console has it.
    text: String,
    /// Part of that text that is about the holders.
    reason: String,
}

impl StallJson {
    pub(super) fn of((part, time, holders): (StalledPart, Duration, Vec<Wait>)) -> Self {
        Self {
            stalled: part.to_string(),
            time,
            holders: holders.iter().map(ToString::to_string).collect(),
            text: stalled(&part, time, &holders, &[]),
            reason: stalled_by(&part, &holders),
            part,
        }
    }
}

/// Answers of the probes.
#[derive(Serialize)]
pub(super) struct ProbesJson {
    startup: ProbeAnswer,
    readiness: ProbeAnswer,
    liveness: ProbeAnswer,
}

#[derive(Serialize)]
struct ProbeAnswer {
    path: &'static str,
    passes: bool,
    reason: Option<String>,
}

impl ProbesJson {
    pub(super) fn of(health: &Health) -> Self {
        let answer = |probe: Probe| {
            let reason = health.failure_reason(probe);
            ProbeAnswer { path: probe.path(), passes: reason.is_none(), reason }
        };
        Self {
            startup: answer(Probe::Startup),
            readiness: answer(Probe::Readiness),
            liveness: answer(Probe::Liveness),
        }
    }
}
