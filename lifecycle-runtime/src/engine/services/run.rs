//! One run of a service: a call of its function, and the tasks that the function spawns.

use std::future::pending;

use tokio::sync::watch;

use super::call::{CallEnd, FunctionCall};
use super::status::ServiceEnd;
use crate::engine::Engine;
use crate::event::{Limit, Outcome};
use crate::hook::HookMeta;
use crate::hook::runtime::TaskOwner;
use crate::hook::service::{Service, ServiceProgress};
use crate::hook::stop::{CommandReceiver, Expiry};

/// Run of a service, from the call of its function until nothing of the run is left.
pub(super) struct ServiceRun {
    service: Service,
    call: FunctionCall,
    panics: watch::Receiver<Option<String>>,
    state: RunState,
    result: RunResult,
}

/// State of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RunState {
    /// It has not said yet that it is ready.
    Starting,
    /// It is ready.
    Ready,
    /// A task that the function spawned has panicked.
    Failed,
    /// It was cancelled.
    Cancelled,
    /// Its time was up, and it was cancelled.
    Expired(Limit),
}

/// Result of a run, as far as it is known.
enum RunResult {
    /// The function has not ended.
    Pending,
    /// The function has ended, or a task has panicked.
    Known(Result<(), Outcome>),
    /// The function or a task was cancelled before its end.
    CutShort,
}

/// Progress of a run.
pub(super) enum RunProgress {
    /// The service is ready.
    Ready,
    /// A task that the function spawned has panicked with this message.
    TaskPanicked(String),
    /// The call of the function has ended.
    CallEnded(CallEnd),
    /// The function and all tasks have ended.
    AllEnded,
}

impl ServiceRun {
    /// Calls the function of a service, which follows these commands.
    pub(super) fn begin(
        hook: &'static HookMeta,
        engine: &Engine,
        commands: CommandReceiver,
    ) -> Self {
        let Engine { scope, hooks, work, .. } = engine;
        let stop = scope.stop().of_service(commands);
        let service = Service::new(stop, Some(hooks.clone()), TaskOwner::Hook(hook));
        if !hook.takes_service_handle() {
            service.ready();
        }
        let panics = service.panics();
        let task = work(hook, scope.of_service(service.clone()));
        let call = FunctionCall::begin(task, hook, hooks);
        Self { service, call, panics, state: RunState::Starting, result: RunResult::Pending }
    }

    /// Waits for the next progress, and returns it.
    ///
    /// Cancel safe.
    pub(super) async fn next(&mut self) -> RunProgress {
        tokio::select! {
            biased;
            () = self.service.is_ready(), if self.state == RunState::Starting => {
                RunProgress::Ready
            }
            message = next_panic(&mut self.panics) => RunProgress::TaskPanicked(message),
            end = self.call.ended() => RunProgress::CallEnded(end),
            () = self.service.tasks_ended(), if self.call.has_ended() => RunProgress::AllEnded,
        }
    }

    /// Returns `true` if the run was cancelled, or its time was up.
    pub(super) fn is_interrupted(&self) -> bool {
        matches!(self.state, RunState::Cancelled | RunState::Expired(_))
    }

    pub(super) fn has_expired(&self) -> bool {
        matches!(self.state, RunState::Expired(_))
    }

    /// Cancels the run.
    pub(super) fn cancel(&mut self) {
        self.interrupt(RunState::Cancelled);
    }

    /// Cancels the run, as its time is up.
    pub(super) fn expire(&mut self, expiry: Expiry) {
        self.interrupt(RunState::Expired(expiry.limit));
    }

    fn interrupt(&mut self, state: RunState) {
        self.state = state;
        // A failure that is known says more than that tasks were cut short after it.
        if self.service.has_tasks() && !matches!(self.result, RunResult::Known(Err(_))) {
            self.result = RunResult::CutShort;
        }
        self.cancel_all();
    }

    /// Notes that the service is ready.
    pub(super) fn become_ready(&mut self) {
        self.state = RunState::Ready;
        self.service.set_progress(ServiceProgress::Ready);
    }

    /// Notes that a task has panicked: the service has failed, and the rest of the run is
    /// cancelled. Returns the failure if the function can't be cancelled, and has not ended.
    pub(super) fn task_panicked(&mut self, message: &str) -> Option<Outcome> {
        let failure = Outcome::Panicked { message: format!("{message} (a task that it spawned)") };
        if let RunResult::Pending | RunResult::Known(Ok(())) = self.result {
            self.result = RunResult::Known(Err(failure.clone()));
        }
        if !self.is_interrupted() {
            self.state = RunState::Failed;
        }
        self.cancel_all();
        self.service.announce_failure();
        self.call.goes_on().then_some(failure)
    }

    /// Notes that the call of the function has ended.
    pub(super) fn call_ended(&mut self, end: CallEnd) {
        self.service.set_progress(ServiceProgress::Ended);
        if let Some(Err(_)) = end {
            self.service.cancel_tasks();
        }
        // If one of its tasks has panicked before, that is why it ended.
        if let RunResult::Pending = self.result {
            self.result = end.map_or(RunResult::CutShort, RunResult::Known);
        }
    }

    /// Returns the end of the run, of which nothing is left.
    pub(super) fn finish(self) -> ServiceEnd {
        // The holders of the handle may still want to spawn tasks: they are cancelled, too.
        self.service.cancel_tasks();
        match (self.result, self.state) {
            (RunResult::Known(result), _) => ServiceEnd::Itself(result),
            (_, RunState::Expired(limit)) => {
                ServiceEnd::Itself(Err(Outcome::TimedOut { limit, ended: true }))
            }
            (_, _) => ServiceEnd::Cancelled,
        }
    }

    fn cancel_all(&self) {
        self.service.cancel_tasks();
        self.call.cancel();
    }
}

/// Waits until the first task has panicked, and returns the panic's message. Later calls wait
/// forever.
async fn next_panic(panics: &mut watch::Receiver<Option<String>>) -> String {
    if panics.changed().await.is_ok()
        && let Some(message) = panics.borrow().clone()
    {
        return message;
    }
    pending().await
}
