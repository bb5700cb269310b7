//! Supervisor of one service.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::counts::RunningServiceGuard;
use super::emit_end;
use super::restarts::{AfterEnd, RestartTracker};
use super::run::{RunProgress, ServiceRun};
use super::status::{EndReporter, ServiceEnd, StatusPublisher};
use crate::engine::Engine;
use crate::event::{Event, Outcome, ServiceState};
use crate::hook::stop::{CommandReceiver, ServiceCommand, StopCause};
use crate::hook::{HookMeta, ServicePolicy};

/// Task that keeps one service running. It runs none of the user's code itself, so nothing keeps it
/// from receiving commands.
pub(super) struct Supervisor {
    pub(super) hook: &'static HookMeta,
    pub(super) engine: Arc<Engine>,
    pub(super) policy: ServicePolicy,
    pub(super) began: Instant,
    pub(super) commands: CommandReceiver,
    pub(super) status: StatusPublisher,
    /// State of the service in the events.
    pub(super) state: ServiceState,
}

impl Supervisor {
    /// Runs the service until it has ended for good. `alive` is held until then.
    pub(super) async fn keep_running(mut self, alive: RunningServiceGuard) {
        let mut restarts = RestartTracker::new(self.policy);
        let end = loop {
            let began = Instant::now();
            let result = match self.run_once().await {
                ServiceEnd::Itself(result) if !self.is_stopping() => result,
                end => break end,
            };
            let now = Instant::now();
            match restarts.next(result, now - began, now, self.engine.jitter) {
                AfterEnd::Over(result) => break ServiceEnd::Itself(result),
                AfterEnd::Again { after, delay } => {
                    self.enter(ServiceState::BackingOff { after, delay });
                    if let Some(end) = self.back_off(delay).await {
                        break end;
                    }
                }
            }
        };
        if let ServiceEnd::Itself(Ok(())) = end {
            alive.done();
        }
        self.end(end);
        // `end` has asked for the stop by now, if the service asks for one.
        drop(alive);
    }

    /// Runs the service once, from its beginning until nothing of the run is left.
    async fn run_once(&mut self) -> ServiceEnd {
        self.enter(ServiceState::Starting);
        let mut run = ServiceRun::begin(self.hook, &self.engine, self.commands.clone());
        loop {
            let progress = tokio::select! {
                biased;
                expiry = self.commands.expired(), if !run.has_expired() => {
                    run.expire(expiry);
                    continue;
                }
                () = self.commands.received(ServiceCommand::Cancel), if !run.is_interrupted() => {
                    run.cancel();
                    continue;
                }
                () = self.commands.received(ServiceCommand::Stop), if !self.is_stopping() => {
                    self.enter(ServiceState::Stopping);
                    continue;
                }
                progress = run.next() => progress,
            };
            match progress {
                RunProgress::Ready => {
                    self.enter(ServiceState::Running);
                    self.status.start();
                    run.become_ready();
                }
                RunProgress::TaskPanicked(message) => {
                    if let Some(after) = run.task_panicked(&message) {
                        self.enter(ServiceState::Failing { after });
                    }
                }
                RunProgress::CallEnded(end) => run.call_ended(end),
                RunProgress::AllEnded => return run.finish(),
            }
        }
    }

    /// Waits before the next run. Returns the end of the service if it is told to stop meanwhile:
    /// no run is going on then, so nothing is lost.
    async fn back_off(&mut self, delay: Duration) -> Option<ServiceEnd> {
        tokio::select! {
            biased;
            () = self.commands.received(ServiceCommand::Stop) => {
                self.enter(ServiceState::Stopping);
                Some(if self.status.is_starting() {
                    ServiceEnd::Cancelled
                } else {
                    ServiceEnd::Itself(Ok(()))
                })
            }
            () = sleep(delay) => None,
        }
    }

    /// Changes the state of the service and emits an event about it. In the events the service is
    /// stopping from the command on until it has ended.
    fn enter(&mut self, state: ServiceState) {
        if !self.is_stopping() {
            self.state = state.clone();
            self.engine.events.emit(&Event::Service { hook: self.hook, state });
        }
    }

    fn is_stopping(&self) -> bool {
        self.state == ServiceState::Stopping
    }

    /// Publishes the end of the service. If no step waits for it, nobody told the service to end:
    /// this emits the events, and asks for the stop if the service failed and the process needs it.
    fn end(self, end: ServiceEnd) {
        let end = match end {
            ServiceEnd::Itself(Ok(())) if self.status.is_starting() => self.end_unready(),
            end => end,
        };
        let outcome = match &end {
            ServiceEnd::Itself(result) => result.clone().err().unwrap_or(Outcome::Succeeded),
            ServiceEnd::Cancelled => Outcome::Cancelled { ended: true },
        };
        if self.status.end(end) == EndReporter::Step {
            return;
        }
        let hook = self.hook;
        emit_end(&self.engine.events, Instant::now(), hook, outcome.clone(), self.began);
        if outcome.is_failure() && !hook.is_dispensable() {
            self.engine.scope.stop_handle().ask(StopCause::Service { hook, outcome });
        }
    }

    /// Returns the end of a service that has ended well and was never ready.
    fn end_unready(&self) -> ServiceEnd {
        if self.is_stopping() {
            // The start waits in vain for the service to be ready.
            return ServiceEnd::Cancelled;
        }
        // The start goes on without the service, as if it had been ready.
        self.status.start();
        ServiceEnd::Itself(Ok(()))
    }
}
