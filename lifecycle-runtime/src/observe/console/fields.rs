//! Fields of lines, for programs that read them as JSON.

use std::time::Duration;

use serde_json::Value;

use crate::event::{Event, NAMED, Outcome, ServiceState, StartFailure, Traffic, Wait};
use crate::hook::HookMeta;
use crate::hook::state::State;
use crate::observe::report::Report;

/// Fields of a line, in their order.
#[derive(Default)]
pub(super) struct Fields(pub(super) Vec<(&'static str, Value)>);

impl Fields {
    pub(super) fn exit_code(code: u8) -> Self {
        Self::default().with("exit_code", code)
    }

    /// Returns the fields of an event that happened `at` after the run began.
    pub(super) fn of_event(at: Duration, event: &Event) -> Self {
        match event {
            Event::State(state) => {
                let fields = Self::named("state").with("state", state.to_string());
                if *state == State::Ready { fields.duration(at) } else { fields }
            }
            Event::HookStarted { hook } => Self::named("hook_started").hook(hook),
            Event::HookEnded { hook, outcome, took } => {
                Self::named("hook_ended").hook(hook).outcome(outcome).duration(*took)
            }
            Event::Health { hook, passes, error } => {
                let fields = Self::named("health_check").hook(hook).with("passes", *passes);
                error.iter().fold(fields, Self::outcome)
            }
            Event::Service { hook, state } => Self::named("service").hook(hook).service(state),
            Event::DropFailed { hook, outcome } => {
                Self::named("drop_failed").hook(hook).outcome(outcome)
            }
            Event::ValueHeld { hook, others } => {
                Self::named("value_held").hook(hook).with("others", *others)
            }
            Event::Listening { url } => Self::named("listening").with("url", &**url),
            Event::AdminListening { url } => Self::named("admin_listening").with("url", &**url),
            Event::AcceptFailed { error } => {
                Self::named("accept_failed").with("error", error.to_string())
            }
            Event::AcceptRecovered { after } => Self::named("accept_recovered").duration(*after),
            Event::RequestPanicked { panic, in_task, left_out } => Self::named("request_panicked")
                .with("method", &*panic.request.method)
                .with("path", &*panic.request.path)
                .with("in_task", *in_task)
                .with("left_out", *left_out)
                .duration(panic.request.running),
            Event::Stalled { part, after, holders, probes } => Self::named("stalled")
                .with("part", part.to_string())
                .list("holders", holders.iter().map(Wait::to_string))
                .list("probes", probes.iter().map(ToString::to_string))
                .duration(*after),
            Event::StallEnded { part, took } => {
                Self::named("stall_ended").with("part", part.to_string()).duration(*took)
            }
            Event::StartFailed { failure } => Self::named("start_failed").start_failure(failure),
            // The beginning of the stop tells of it.
            Event::StartInterrupted { .. } => Self::default(),
            Event::StopRepeated { signal, .. } => {
                Self::named("stop_repeated").with("signal", *signal)
            }
            Event::LateFailure { error } => Self::named("late_failure").with("error", &**error),
            Event::UpgradeBegun { program } => {
                Self::named("upgrade_begun").with("program", program.display().to_string())
            }
            Event::UpgradeFailed { error } => {
                Self::named("upgrade_failed").with("error", error.to_string())
            }
            Event::Upgraded { successor } => Self::named("upgraded").with("successor", *successor),
            Event::TookOver { predecessor } => {
                Self::named("took_over").with("predecessor", *predecessor)
            }
            Event::StopBegun { cause, grace, requests } => Self::named("stop_begun")
                .with("cause", cause.to_string())
                .with("grace_seconds", grace.as_secs_f64())
                .with("requests_seconds", requests.map(|time| time.as_secs_f64())),
            Event::Hurried => Self::named("hurried"),
            Event::Waiting { on } => {
                Self::named("waiting").list("waiting_for", on.iter().map(Wait::to_string))
            }
            Event::Drained { traffic, took } => {
                Self::named("drained").traffic(traffic).duration(*took)
            }
            Event::BudgetExceeded { needed, grace, limits, .. } => Self::named("budget_exceeded")
                .with("needed_seconds", needed.as_secs_f64())
                .with("grace_seconds", grace.as_secs_f64())
                .list("hooks", limits.iter().map(|limit| limit.hook.path())),
        }
    }

    /// Returns the fields of a run that has ended.
    pub(super) fn of_report(report: &Report) -> Self {
        Self::named("run_ended")
            .with("exit_code", report.exit_code())
            .with("cause", report.cause.as_ref().map(ToString::to_string))
            .with("error", report.error.as_ref().map(ToString::to_string))
            .list("failed", report.failures().map(|failed| failed.hook.path()))
            .duration(report.stop_took)
    }

    /// Replaces the duration.
    pub(super) fn set_duration(&mut self, took: Duration) {
        self.0.retain(|(name, _)| *name != DURATION);
        self.0.push((DURATION, took.as_secs_f64().into()));
    }

    fn named(event: &'static str) -> Self {
        Self::default().with("event", event)
    }

    /// Adds a field, unless its value is `null`.
    pub(super) fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        let value = value.into();
        if !value.is_null() {
            self.0.push((name, value));
        }
        self
    }

    /// Adds the first of these texts.
    fn list(self, name: &'static str, texts: impl Iterator<Item = String>) -> Self {
        self.with(name, texts.take(NAMED).collect::<Vec<_>>())
    }

    fn duration(mut self, took: Duration) -> Self {
        self.set_duration(took);
        self
    }

    fn hook(self, hook: &HookMeta) -> Self {
        self.with("hook", hook.path())
            .with("kind", hook.kind.attribute())
            .with("place", hook.place())
            .with("signal", hook.signal())
    }

    /// Adds the outcome of a hook as the report names it, and its error.
    fn outcome(self, outcome: &Outcome) -> Self {
        // These are plain texts, so nothing can fail.
        let mut of_report = serde_json::to_value(outcome).unwrap_or_default();
        let error = match outcome {
            Outcome::Failed { .. } => of_report["error"].take(),
            Outcome::Panicked { .. } => of_report["message"].take(),
            _ => Value::Null,
        };
        let limit = of_report.get("limit").cloned();
        self.with("outcome", of_report["result"].take()).with("error", error).with("limit", limit)
    }

    fn service(self, state: &ServiceState) -> Self {
        let fields = self.with("state", state.to_string());
        match state {
            ServiceState::BackingOff { after, delay } => {
                fields.outcome(after).with("delay_seconds", delay.as_secs_f64())
            }
            ServiceState::Failing { after } => fields.outcome(after),
            _ => fields,
        }
    }

    fn start_failure(self, failure: &StartFailure) -> Self {
        if let StartFailure::Hook { hook, failure } = failure {
            self.hook(hook).outcome(&failure.outcome)
        } else {
            self.with("error", failure.to_string())
        }
    }

    fn traffic(self, traffic: &Traffic) -> Self {
        let requests = &traffic.requests;
        self.with("finished", requests.finished)
            .with("cut", requests.cut.len())
            .with("refused", requests.refused)
            .with("failed", requests.failed)
            .with("panicked", requests.panicked)
            .with("abandoned", requests.abandoned)
            .with("connections_cut", traffic.connections.cut)
    }
}

/// Name of the field with a duration.
const DURATION: &str = "duration_seconds";
