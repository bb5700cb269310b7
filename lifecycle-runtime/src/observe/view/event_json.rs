//! Events as JSON.

use std::time::Duration;

use serde::Serialize;

use crate::event::{
    Event, Outcome, RequestPanic, ScaledLimit, ServiceState, StalledPart, Traffic, as_millis,
    as_millis_if_any,
};
use crate::hook::HookMeta;
use crate::hook::state::State;

/// Event with its moment.
#[derive(Serialize)]
struct Entry<'e> {
    #[serde(serialize_with = "as_millis")]
    at: Duration,
    #[serde(flatten)]
    event: EventJson<'e>,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum EventJson<'e> {
    State {
        state: State,
    },
    HookStarted {
        #[serde(flatten)]
        hook: EventHook,
    },
    HookEnded {
        #[serde(flatten)]
        hook: EventHook,
        #[serde(flatten)]
        outcome: &'e Outcome,
        #[serde(serialize_with = "as_millis")]
        took: Duration,
    },
    Health {
        #[serde(flatten)]
        hook: EventHook,
        passes: bool,
        error: Option<String>,
    },
    Service {
        #[serde(flatten)]
        hook: EventHook,
        #[serde(flatten)]
        state: &'e ServiceState,
        /// Time until the next run, while it is backing off.
        #[serde(serialize_with = "as_millis_if_any")]
        delay: Option<Duration>,
    },
    DropFailed {
        #[serde(flatten)]
        hook: EventHook,
        #[serde(flatten)]
        outcome: &'e Outcome,
    },
    ValueHeld {
        #[serde(flatten)]
        hook: EventHook,
        others: usize,
    },
    Listening {
        url: &'e str,
    },
    AdminListening {
        url: &'e str,
    },
    AcceptFailed {
        error: String,
    },
    AcceptRecovered {
        #[serde(serialize_with = "as_millis")]
        after: Duration,
    },
    RequestPanicked {
        #[serde(flatten)]
        panic: &'e RequestPanic,
        in_task: bool,
        left_out: u64,
    },
    Stalled {
        #[serde(flatten)]
        part: &'e StalledPart,
        #[serde(serialize_with = "as_millis")]
        after: Duration,
        holders: Vec<String>,
        probes: Vec<&'static str>,
    },
    StallEnded {
        #[serde(flatten)]
        part: &'e StalledPart,
        #[serde(serialize_with = "as_millis")]
        took: Duration,
    },
    StartFailed {
        error: String,
    },
    StartInterrupted {
        cause: String,
    },
    StopRepeated {
        signal: &'static str,
        hurried: bool,
    },
    LateFailure {
        error: &'e str,
    },
    UpgradeBegun {
        program: String,
    },
    UpgradeFailed {
        error: String,
    },
    Upgraded {
        successor: u32,
    },
    TookOver {
        predecessor: u32,
    },
    StopBegun {
        cause: String,
        /// Set if the cause is a request, and no failure.
        wanted: bool,
        #[serde(serialize_with = "as_millis")]
        grace: Duration,
        #[serde(serialize_with = "as_millis_if_any")]
        requests: Option<Duration>,
    },
    Hurried,
    Waiting {
        on: Vec<String>,
    },
    Drained {
        traffic: &'e Traffic,
        #[serde(serialize_with = "as_millis")]
        took: Duration,
    },
    BudgetExceeded {
        #[serde(serialize_with = "as_millis")]
        needed: Duration,
        #[serde(serialize_with = "as_millis")]
        grace: Duration,
        #[serde(serialize_with = "as_millis_if_any")]
        requests: Option<Duration>,
        #[serde(serialize_with = "as_millis_if_any")]
        delay: Option<Duration>,
        limits: Vec<LimitJson>,
    },
    /// An event whose text is too long.
    LeftOut {
        bytes: usize,
    },
}

/// Limit that had to be scaled.
#[derive(Serialize)]
struct LimitJson {
    #[serde(flatten)]
    hook: EventHook,
    #[serde(serialize_with = "as_millis")]
    limit: Duration,
    #[serde(serialize_with = "as_millis")]
    has: Duration,
}

#[derive(Serialize)]
struct EventHook {
    hook: String,
    name: &'static str,
    kind: &'static str,
}

impl EventHook {
    fn of(hook: &HookMeta) -> Self {
        Self { hook: hook.path(), name: hook.display_name(), kind: hook.kind.attribute() }
    }
}

/// Returns an event as the text of one JSON object on one line.
pub(super) fn text(at: Duration, event: &Event) -> String {
    entry(at, event_json(event))
}

/// Returns the text that stands for an event whose own text has this many bytes.
pub(super) fn left_out(at: Duration, bytes: usize) -> String {
    entry(at, EventJson::LeftOut { bytes })
}

fn entry(at: Duration, event: EventJson<'_>) -> String {
    // These are plain texts and numbers, so nothing can fail.
    serde_json::to_string(&Entry { at, event }).unwrap_or_default()
}

fn event_json(event: &Event) -> EventJson<'_> {
    match event {
        Event::State(state) => EventJson::State { state: *state },
        Event::HookStarted { hook } => EventJson::HookStarted { hook: EventHook::of(hook) },
        Event::HookEnded { hook, outcome, took } => {
            EventJson::HookEnded { hook: EventHook::of(hook), outcome, took: *took }
        }
        Event::Health { hook, passes, error } => {
            let error = error.as_ref().map(ToString::to_string);
            EventJson::Health { hook: EventHook::of(hook), passes: *passes, error }
        }
        Event::Service { hook, state } => {
            let delay = match state {
                ServiceState::BackingOff { delay, .. } => Some(*delay),
                _ => None,
            };
            EventJson::Service { hook: EventHook::of(hook), state, delay }
        }
        Event::DropFailed { hook, outcome } => {
            EventJson::DropFailed { hook: EventHook::of(hook), outcome }
        }
        Event::ValueHeld { hook, others } => {
            EventJson::ValueHeld { hook: EventHook::of(hook), others: *others }
        }
        Event::Listening { url } => EventJson::Listening { url },
        Event::AdminListening { url } => EventJson::AdminListening { url },
        Event::AcceptFailed { error } => EventJson::AcceptFailed { error: error.to_string() },
        Event::AcceptRecovered { after } => EventJson::AcceptRecovered { after: *after },
        Event::RequestPanicked { panic, in_task, left_out } => {
            EventJson::RequestPanicked { panic, in_task: *in_task, left_out: *left_out }
        }
        Event::Stalled { part, after, holders, probes } => {
            let holders = holders.iter().map(ToString::to_string).collect();
            let probes = probes.iter().map(|probe| probe.path()).collect();
            EventJson::Stalled { part, after: *after, holders, probes }
        }
        Event::StallEnded { part, took } => EventJson::StallEnded { part, took: *took },
        Event::StartFailed { failure } => EventJson::StartFailed { error: failure.to_string() },
        Event::StartInterrupted { cause } => {
            EventJson::StartInterrupted { cause: cause.to_string() }
        }
        Event::StopRepeated { signal, is_hurried } => {
            EventJson::StopRepeated { signal, hurried: *is_hurried }
        }
        Event::LateFailure { error } => EventJson::LateFailure { error },
        Event::UpgradeBegun { program } => {
            EventJson::UpgradeBegun { program: program.display().to_string() }
        }
        Event::UpgradeFailed { error } => EventJson::UpgradeFailed { error: error.to_string() },
        Event::Upgraded { successor } => EventJson::Upgraded { successor: *successor },
        Event::TookOver { predecessor } => EventJson::TookOver { predecessor: *predecessor },
        Event::StopBegun { cause, grace, requests } => {
            let wanted = cause.is_wanted();
            let (cause, grace, requests) = (cause.to_string(), *grace, *requests);
            EventJson::StopBegun { cause, wanted, grace, requests }
        }
        Event::Hurried => EventJson::Hurried,
        Event::Waiting { on } => {
            EventJson::Waiting { on: on.iter().map(ToString::to_string).collect() }
        }
        Event::Drained { traffic, took } => EventJson::Drained { traffic, took: *took },
        Event::BudgetExceeded { needed, grace, requests, delay, limits } => {
            let limit = |ScaledLimit { hook, limit, has }: &ScaledLimit| LimitJson {
                hook: EventHook::of(hook),
                limit: *limit,
                has: *has,
            };
            EventJson::BudgetExceeded {
                needed: *needed,
                grace: *grace,
                requests: *requests,
                delay: *delay,
                limits: limits.iter().map(limit).collect(),
            }
        }
    }
}
