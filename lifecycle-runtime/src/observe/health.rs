//! Health of a run, which answers probes: whether the process lives, has started, and is ready, and
//! if not, for which reason.

mod checks;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde::Serialize;
use tokio::sync::watch;

use checks::CheckReport;
pub(crate) use checks::{CheckFigures, CheckHistory, Checks, Freshness};

pub(crate) use crate::event::Probe;
use crate::hook::state::State;
use crate::hook::stop::Progress;
use crate::process::stalls::StallTracker;

/// Answer to a probe.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) passes: bool,
    /// State and reasons, as a JSON object.
    pub(crate) body: String,
}

/// Recipient of the answer to a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Anybody who reaches the app, and who learns nothing about other clients.
    Public,
    /// Anybody who reaches the listener of the probes.
    Operators,
}

/// Source of texts, which may differ from call to call.
type Texts = dyn Fn() -> Vec<String> + Send + Sync;

/// Source of texts, which may differ by audience.
type TextsFor = dyn Fn(Audience) -> Vec<String> + Send + Sync;

/// Health of a run.
#[derive(Clone)]
pub(crate) struct Health {
    progress: watch::Receiver<Progress>,
    ready_while_draining: bool,
    checks: Checks,
    /// Source of the services that are not well, each with the reason.
    services: Arc<Texts>,
    waits: Arc<TextsFor>,
    stalls: StallTracker,
    /// Source of facts that keep no probe from passing.
    notes: Arc<Texts>,
}

#[derive(Serialize)]
struct ProbeBody {
    status: &'static str,
    state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    waiting_for: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    checks: Vec<CheckReport>,
}

impl Health {
    pub(crate) fn new(
        progress: watch::Receiver<Progress>,
        ready_while_draining: bool,
        checks: Checks,
        services: impl Fn() -> Vec<String> + Send + Sync + 'static,
        waits: impl Fn(Audience) -> Vec<String> + Send + Sync + 'static,
        stalls: StallTracker,
    ) -> Self {
        let (services, waits) = (Arc::new(services), Arc::new(waits));
        let notes = Arc::new(Vec::new);
        Self { progress, ready_while_draining, checks, services, waits, stalls, notes }
    }

    /// Adds these facts to the answers about readiness. They keep no probe from passing.
    pub(crate) fn with_notes(
        self,
        notes: impl Fn() -> Vec<String> + Send + Sync + 'static,
    ) -> Self {
        Self { notes: Arc::new(notes), ..self }
    }

    /// Answers a probe at once, whatever else goes on.
    pub(crate) fn answer(&self, probe: Probe, audience: Audience) -> Answer {
        let state = self.progress.borrow().state;
        let reason = self.failure_reason(probe);
        let passes = reason.is_none();
        let waiting_for = if state == State::Ready { Vec::new() } else { (self.waits)(audience) };
        let has_notes = probe == Probe::Readiness && state < State::Draining;
        let notes = || (self.notes)().into_iter().chain(self.stalls.texts()).collect();
        let body = ProbeBody {
            status: if passes { "pass" } else { "fail" },
            state,
            reason,
            waiting_for,
            notes: if has_notes { notes() } else { Vec::new() },
            checks: self.checks.of(probe, Freshness::of(state, self.stalls.limits().after)),
        };
        // The body has only plain texts, so that this can't fail.
        Answer { passes, body: serde_json::to_string(&body).unwrap_or_default() }
    }

    /// Returns the reason for which a probe does not pass; `None` if it passes.
    pub(crate) fn failure_reason(&self, probe: Probe) -> Option<String> {
        let Progress { state, has_started, start_failed, has_successor, .. } =
            *self.progress.borrow();
        match (probe, state) {
            // To kill a process that stops would only keep it from stopping well.
            (Probe::Liveness, state) if state >= State::Draining => None,
            (Probe::Liveness, _) | (_, State::Ready) => self.reason(probe, state),
            (_, State::Starting) => Some("the start is not over".to_owned()),
            _ if start_failed => Some("the start has failed".to_owned()),
            _ if !has_started => Some("the process was stopped during the start".to_owned()),
            // It answers for the address, where the successor is ready.
            (Probe::Readiness, _) if has_successor => None,
            (Probe::Startup, _) => self.reason(probe, state),
            (Probe::Readiness, State::Draining) if self.ready_while_draining => {
                self.reason(probe, state)
            }
            (Probe::Readiness, _) => Some("the process is stopping".to_owned()),
        }
    }

    /// Returns the stall, service or health check that keeps a probe from passing while the process
    /// serves.
    fn reason(&self, probe: Probe, state: State) -> Option<String> {
        let stall = match probe {
            Probe::Readiness => self.stalls.readiness_failure(),
            Probe::Liveness => self.stalls.liveness_failure(),
            Probe::Startup => None,
        };
        let services = || match probe {
            Probe::Readiness => Some((self.services)().join(", ")).filter(|text| !text.is_empty()),
            Probe::Liveness | Probe::Startup => None,
        };
        stall
            .or_else(services)
            .or_else(|| self.checks.reason(probe, Freshness::of(state, self.stalls.limits().after)))
    }
}
