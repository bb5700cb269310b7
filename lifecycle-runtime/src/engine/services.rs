//! Supervisors of services. A supervisor runs its service again as the attribute says, until it is
//! told to stop the service or the service has failed for good.

mod call;
mod counts;
mod restarts;
mod run;
mod status;
mod supervisor;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use futures_util::future::FutureExt;
use tokio::time::Instant;

use crate::engine::Engine;
use crate::event::{Event, Events, Limit, Outcome, ServiceState};
use crate::hook::stop::{CommandSender, Expiry};
use crate::hook::{HookMeta, ServicePolicy};

pub(crate) use counts::{RunningServiceGuard, RunningServices};
pub(crate) use status::ServiceEnd;
use status::StatusWatch;
use supervisor::Supervisor;

/// Handle to a service that a supervisor keeps running. When it is dropped, the service is
/// cancelled.
pub(crate) struct ServiceHandle {
    hook: &'static HookMeta,
    began: Instant,
    commands: CommandSender,
    status: StatusWatch,
    /// Moment at which the service was told to stop with the drain.
    stopped_with_drain: Option<Instant>,
}

/// Starts a service and its supervisor. `alive` is held until the service has ended for good.
pub(crate) fn supervise(
    hook: &'static HookMeta,
    engine: Arc<Engine>,
    alive: RunningServiceGuard,
) -> ServiceHandle {
    let began = Instant::now();
    let commands = CommandSender::default();
    let (publisher, status) = status::starting();
    let supervisor = Supervisor {
        hook,
        engine,
        policy: hook.service().unwrap_or(ServicePolicy::DEFAULT),
        began,
        commands: commands.receiver(),
        status: publisher,
        state: ServiceState::Starting,
    };
    tokio::spawn(supervisor.keep_running(alive).boxed());
    ServiceHandle { hook, began, commands, status, stopped_with_drain: None }
}

impl ServiceHandle {
    /// Returns the sender of the commands to the service.
    pub(crate) fn commands(&self) -> &CommandSender {
        &self.commands
    }

    /// Waits until the service is ready or has ended before that. It counts as ready if it has
    /// ended well without a command.
    pub(crate) fn started(&self) -> impl Future<Output = ServiceEnd> + Send + use<> {
        self.status.started()
    }

    /// Tells the service to stop by `until`, and returns a future of its end. Returns `None` if the
    /// service has ended already. The caller [emits](Self::emit_end) the events about the end.
    pub(crate) fn stop(
        &self,
        until: Instant,
    ) -> Option<impl Future<Output = ServiceEnd> + Send + use<>> {
        let ended = self.status.ended()?;
        self.commands.stop(Some(until));
        // The step that waits from now on cancels the service when its time is up.
        self.commands.set_expiry(None);
        Some(ended)
    }

    /// Tells the service to stop, although no step waits for its end yet. The supervisor cancels it
    /// at `until`.
    pub(crate) fn stop_with_drain(&mut self, until: Option<Instant>) {
        self.stopped_with_drain = Some(Instant::now());
        self.commands.stop(until);
        self.commands.set_expiry(until.map(|at| Expiry { at, limit: Limit::Timeout }));
    }

    /// Returns the moment at which the service was told to stop with the drain, if it was.
    pub(crate) fn stopped_with_drain(&self) -> Option<Instant> {
        self.stopped_with_drain
    }

    /// Cancels the service, as the stop is hurried, if it was told to stop with the drain.
    pub(crate) fn hurry_with_drain(&self) {
        if self.stopped_with_drain.is_some() {
            self.commands.set_expiry(Some(Expiry { at: Instant::now(), limit: Limit::Hurry }));
        }
    }

    /// Emits the events about the service's end, for the step that has waited for it.
    pub(crate) fn emit_end(&self, events: &Events, at: Instant, outcome: Outcome) {
        emit_end(events, at, self.hook, outcome, self.began);
    }
}

/// Emits the events about a service's end.
fn emit_end(
    events: &Events,
    at: Instant,
    hook: &'static HookMeta,
    outcome: Outcome,
    began: Instant,
) {
    let has_failed = outcome.is_failure() || outcome.is_abandoned();
    let state = if has_failed { ServiceState::Failed } else { ServiceState::Stopped };
    events.emit_at(at, &Event::Service { hook, state });
    let took = at.saturating_duration_since(began);
    events.emit_at(at, &Event::HookEnded { hook, outcome, took });
}
