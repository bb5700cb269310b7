//! Health of a run, which answers probes: whether the process lives, has started, and is ready, and
//! if not, for which reason.

mod checks;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde::Serialize;
use tokio::sync::watch;

use checks::CheckReport;
pub(crate) use checks::{CheckHistory, Checks};

use crate::hook::state::State;
use crate::hook::stop::Progress;

/// Question that Kubernetes asks of a container, and load balancers ask of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probe {
    /// Probe for a process that still answers. A process that fails it is killed, so it passes
    /// while the process stops.
    Liveness,
    /// Probe for the end of the start.
    Startup,
    /// Probe for a process that is to be sent requests.
    Readiness,
}

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
    ) -> Self {
        let (services, waits) = (Arc::new(services), Arc::new(waits));
        Self { progress, ready_while_draining, checks, services, waits, notes: Arc::new(Vec::new) }
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
        let body = ProbeBody {
            status: if passes { "pass" } else { "fail" },
            state,
            reason,
            waiting_for,
            notes: if has_notes { (self.notes)() } else { Vec::new() },
            checks: self.checks.of(probe),
        };
        // The body has only plain texts, so that this can't fail.
        Answer { passes, body: serde_json::to_string(&body).unwrap_or_default() }
    }

    /// Returns the reason for which a probe does not pass; `None` if it passes.
    pub(crate) fn failure_reason(&self, probe: Probe) -> Option<String> {
        let Progress { state, has_started, start_failed, .. } = *self.progress.borrow();
        match (probe, state) {
            // To kill a process that stops would only keep it from stopping well.
            (Probe::Liveness, state) if state >= State::Draining => None,
            (Probe::Liveness, _) | (_, State::Ready) => self.reason(probe),
            (_, State::Starting) => Some("the start is not over".to_owned()),
            _ if start_failed => Some("the start has failed".to_owned()),
            _ if !has_started => Some("the process was stopped during the start".to_owned()),
            (Probe::Startup, _) => self.reason(probe),
            (Probe::Readiness, State::Draining) if self.ready_while_draining => self.reason(probe),
            (Probe::Readiness, _) => Some("the process is stopping".to_owned()),
        }
    }

    /// Returns the service or health check that keeps a probe from passing while the process
    /// serves.
    fn reason(&self, probe: Probe) -> Option<String> {
        let services = match probe {
            Probe::Readiness => (self.services)(),
            Probe::Liveness | Probe::Startup => Vec::new(),
        };
        let services = (!services.is_empty()).then(|| services.join(", "));
        services.or_else(|| self.checks.reason(probe))
    }
}
