//! Output that passes a run's events on to `tracing`, and the spans of a run.

use std::cell::Cell;
use std::fmt;
use std::time::Duration;

use tracing::Level;

use crate::event::{Event, Outcome, RequestInfo, ScaledLimit, ServiceState, StartFailure, Traffic};
use crate::hook::{HookMeta, Kind};
use crate::observe::report::Report;

#[cfg(test)]
pub(crate) mod sample;
mod step_spans;
#[cfg(test)]
mod tests;

pub(crate) use step_spans::{StepSpans, span, start_span, stop_span};

/// Target of all events and spans, whatever module they come from.
pub(crate) const TARGET: &str = "lifecycle_runtime";

/// Result of an event that was passed to `tracing`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Traced {
    pub(crate) level: Level,
    /// Set if a subscriber, or a logger of the crate `log`, has written it down.
    pub(crate) is_shown: bool,
}

/// Text that notes when somebody writes it down. To ask a subscriber beforehand is not the same:
/// its layers may have filters of their own, and a question leaves traces in those.
struct Noted<'a> {
    text: &'static str,
    is_written: &'a Cell<bool>,
}

impl fmt::Display for Noted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.is_written.set(true);
        f.write_str(self.text)
    }
}

/// Passes a text with fields to `tracing`, at a level: `emit!(info INFO "listening", url)`.
macro_rules! emit {
    ($macro:ident $level:ident $text:literal $(, $($fields:tt)+)?) => {{
        let is_written = Cell::new(false);
        let text = Noted { text: $text, is_written: &is_written };
        tracing::$macro!(target: TARGET, $($($fields)+,)? "{text}");
        Traced { level: Level::$level, is_shown: is_written.get() }
    }};
}

/// Passes an event on to `tracing`.
pub(crate) fn emit(event: &Event) -> Traced {
    match event {
        Event::State(state) => emit!(info INFO "state", %state),
        Event::HookStarted { hook } => {
            emit!(debug DEBUG "hook started", hook = hook.display_name(), kind = %hook.kind)
        }
        Event::HookEnded { hook, outcome, took } => {
            let (name, kind) = (hook.display_name(), hook.kind);
            match outcome {
                Outcome::Cancelled { ended: false } => {
                    emit!(warn WARN "hook ended early", hook = name, %kind, ?took, %outcome)
                }
                _ if hook.kind == Kind::HealthCheck => {
                    emit!(debug DEBUG "health checked", hook = name, %kind, ?took, %outcome)
                }
                Outcome::Succeeded => emit!(info INFO "hook done", hook = name, %kind, ?took),
                _ if outcome.is_failure() => {
                    let place = hook.place();
                    emit!(error ERROR "hook failed", hook = name, %kind, place, ?took, %outcome)
                }
                _ => emit!(warn WARN "hook ended early", hook = name, %kind, ?took, %outcome),
            }
        }
        Event::Health { hook, passes: true, .. } => {
            emit!(info INFO "health check passes", hook = hook.display_name())
        }
        Event::Health { hook, error, .. } => {
            let error = error.as_ref().map(ToString::to_string);
            emit!(
                error ERROR "health check fails",
                hook = hook.display_name(), place = hook.place(), error
            )
        }
        Event::Service { hook, state } => service(hook, state),
        Event::ValueHeld { hook, others } => {
            emit!(warn WARN "value still held", hook = hook.display_name(), others)
        }
        Event::DropFailed { hook, outcome } => {
            emit!(error ERROR "value not dropped", hook = hook.display_name(), %outcome)
        }
        Event::Listening { url } => emit!(info INFO "listening", url),
        Event::AcceptFailed { error } => {
            let error = error.to_string();
            emit!(error ERROR "can't accept connections", error)
        }
        Event::AcceptRecovered { after } => {
            emit!(info INFO "accepting connections again", ?after)
        }
        Event::RequestPanicked { panic, in_task, left_out } => {
            let RequestInfo { method, path, running, .. } = &panic.request;
            emit!(error ERROR "request panicked", %method, path, ?running, in_task, left_out)
        }
        Event::Stalled { part, after, holders, probes } => {
            let holders: Vec<_> = holders.iter().map(ToString::to_string).collect();
            let probes: Vec<_> = probes.iter().map(|probe| probe.path()).collect();
            emit!(error ERROR "stalled", %part, ?after, ?holders, ?probes)
        }
        Event::StallEnded { part, took } => emit!(warn WARN "stall ended", %part, ?took),
        Event::AdminListening { url } => emit!(info INFO "probes are answered", url),
        Event::StartFailed { failure } => start_failed(failure),
        Event::StartInterrupted { cause } => emit!(info INFO "stopped during the start", %cause),
        Event::StopRepeated { signal, is_hurried } => {
            emit!(info INFO "stopping already", signal, is_hurried)
        }
        Event::LateFailure { error } => emit!(error ERROR "the program failed", error),
        Event::UpgradeBegun { program } => {
            let program = program.display();
            emit!(info INFO "upgrade begins", %program)
        }
        Event::UpgradeFailed { error } => emit!(error ERROR "no upgrade", %error),
        Event::Upgraded { successor } => emit!(info INFO "upgraded", successor),
        Event::TookOver { predecessor } => emit!(info INFO "took over", predecessor),
        Event::StopBegun { cause, grace, requests } if cause.is_wanted() => {
            emit!(info INFO "stop begins", %cause, ?grace, ?requests)
        }
        Event::StopBegun { cause, grace, requests } => {
            emit!(error ERROR "stop begins", %cause, ?grace, ?requests)
        }
        Event::Hurried => emit!(warn WARN "stop hurried"),
        Event::Waiting { on } => {
            let on: Vec<_> = on.iter().map(ToString::to_string).collect();
            emit!(warn WARN "waiting", ?on)
        }
        Event::Drained { traffic, took } => drained(traffic, *took),
        Event::BudgetExceeded { needed, grace, requests, delay, limits } => {
            let limit = |limit: &ScaledLimit| (limit.hook.display_name(), limit.has, limit.limit);
            let limits: Vec<_> = limits.iter().map(limit).collect();
            emit!(
                warn WARN "the stop may take longer than the grace period",
                ?needed, ?grace, ?requests, ?delay, ?limits
            )
        }
    }
}

fn drained(traffic: &Traffic, took: Duration) -> Traced {
    let (requests, workers_left) = (&traffic.requests, traffic.workers_left);
    let (finished, cut) = (requests.finished, requests.cut.len());
    let (refused, failed, panicked) = (requests.refused, requests.failed, requests.panicked);
    let (tasks, unaccepted) = (&traffic.tasks, traffic.connections.unaccepted);
    let (tasks_cut, tasks_panicked) = (tasks.cut.len(), tasks.panicked);
    let finished_tasks = tasks.finished;
    let (abandoned, connections_cut) = (requests.abandoned, traffic.connections.cut);
    emit!(
        info INFO "drained", finished, cut, refused, failed, panicked, abandoned,
        connections_cut, unaccepted, workers_left, finished_tasks, tasks_cut,
        tasks_panicked, ?took
    )
}

fn service(hook: &HookMeta, state: &ServiceState) -> Traced {
    match state {
        ServiceState::BackingOff { after, delay } => {
            let place = hook.place();
            emit!(
                warn WARN "service backs off",
                hook = hook.display_name(), place, outcome = %after, ?delay
            )
        }
        ServiceState::Failing { after } => {
            let place = hook.place();
            emit!(
                warn WARN "service is failing",
                hook = hook.display_name(), place, outcome = %after
            )
        }
        state => emit!(info INFO "service", hook = hook.display_name(), %state),
    }
}

/// Passes on that a start failed, with the hook that it failed by if it was one.
fn start_failed(failure: &StartFailure) -> Traced {
    let hook = failure.hook();
    let (name, kind) = (hook.map(HookMeta::display_name), hook.map(|hook| hook.kind.attribute()));
    let place = hook.map(HookMeta::place);
    let reason = failure.to_string();
    emit!(error ERROR "start failed", hook = name, kind, place, reason)
}

/// Passes on the report of a run. The reason for which its start failed has been passed on before.
pub(crate) fn report(report: &Report) -> Traced {
    let (exit_code, took) = (report.exit_code(), report.stop_took);
    let cause = report.cause.as_ref().map(ToString::to_string);
    if report.is_clean() {
        return emit!(info INFO "run ended", exit_code, cause, ?took);
    }
    let failed: Vec<_> = report.failures().map(|failed| failed.hook.display_name()).collect();
    let details = report.details();
    emit!(error ERROR "run ended", exit_code, cause, ?took, ?failed, ?details)
}
