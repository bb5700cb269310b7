//! The run's events as `tracing` events, for whoever collects those. Each hook also runs in a span of its own.

use std::time::Duration;

use crate::event::{Event, Observer, Outcome, ServiceState};
use crate::hook::Kind;

/// Passes every event on to `tracing`.
pub(crate) struct Trace;

impl Observer for Trace {
    fn on_event(&self, _: Duration, event: &Event) {
        match event {
            Event::State(state) => tracing::info!(%state, "state"),
            Event::HookStarted { hook } => {
                tracing::debug!(hook = hook.display_name(), kind = %hook.kind, "hook started");
            }
            Event::HookEnded { hook, outcome, took } => {
                let (name, kind) = (hook.display_name(), hook.kind);
                match outcome {
                    _ if hook.kind == Kind::HealthCheck => {
                        tracing::debug!(hook = name, %kind, ?took, %outcome, "health checked");
                    }
                    Outcome::Succeeded => tracing::info!(hook = name, %kind, ?took, "hook done"),
                    _ if outcome.is_failure() => {
                        tracing::error!(hook = name, %kind, place = hook.place(), ?took, %outcome, "hook failed");
                    }
                    _ => tracing::warn!(hook = name, %kind, ?took, %outcome, "hook ended early"),
                }
            }
            Event::Health { hook, passes: true, .. } => {
                tracing::info!(hook = hook.display_name(), "health check passes");
            }
            Event::Health { hook, error, .. } => {
                tracing::error!(hook = hook.display_name(), place = hook.place(), error, "health check fails");
            }
            Event::Service { hook, state: ServiceState::BackingOff { after, delay } } => {
                let name = hook.display_name();
                tracing::warn!(hook = name, place = hook.place(), outcome = %after, ?delay, "service backs off");
            }
            Event::Service { hook, state } => tracing::info!(hook = hook.display_name(), %state, "service"),
            Event::ValueHeld { hook, others } => tracing::warn!(hook = hook.display_name(), others, "value still held"),
            Event::DropFailed { hook, outcome } => {
                tracing::error!(hook = hook.display_name(), %outcome, "value not dropped");
            }
            Event::Listening { url } => tracing::info!(url, "listening"),
            Event::AcceptFailed { error } => tracing::error!(error, "can't accept connections"),
            Event::AcceptRecovered { after } => tracing::info!(?after, "accepting connections again"),
            Event::AdminListening { url } => tracing::info!(url, "probes are answered"),
            Event::StartFailed { reason } => tracing::error!(reason, "start failed"),
            Event::StartInterrupted { cause } => tracing::info!(%cause, "stopped during the start"),
            Event::StopRepeated { signal } => tracing::info!(signal, "stopping already"),
            Event::LateFailure { error } => tracing::error!(error, "the program failed"),
            Event::StopBegun { cause, grace, requests } if cause.is_wanted() => {
                tracing::info!(%cause, ?grace, ?requests, "stop begins");
            }
            Event::StopBegun { cause, grace, requests } => {
                tracing::error!(%cause, ?grace, ?requests, "stop begins");
            }
            Event::Hurried => tracing::warn!("stop hurried"),
            Event::Waiting { on } => tracing::warn!(?on, "waiting"),
            Event::Drained { traffic, took } => {
                let (requests, workers_left) = (&traffic.requests, traffic.workers_left);
                let (finished, cut, refused) = (requests.finished, requests.cut.len(), requests.refused);
                let failed = requests.failed;
                tracing::info!(finished, cut, refused, failed, workers_left, ?took, "drained");
            }
            Event::BudgetExceeded { needed, grace, requests, limits } => {
                let limits: Vec<_> =
                    limits.iter().map(|limit| (limit.hook.display_name(), limit.has, limit.limit)).collect();
                tracing::warn!(?needed, ?grace, ?requests, ?limits, "the stop may take longer than the grace period");
            }
        }
    }
}
