//! Tasks of the hooks that are running now, each with the time that it has.

mod completion;
mod progress;
mod spawn;
mod task;
#[cfg(test)]
mod tests;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, Sleep, sleep_until};
use tracing::Span;

use crate::engine::services::ServiceEnd;
use crate::event::{Limit, Outcome};
use crate::hook::HookMeta;
use crate::hook::runtime::HookRuntime;
use crate::hook::stop::CommandSender;
use crate::hook::task::{Task, Value};
use crate::plan::ABANDON_AFTER;
use completion::{Completion, CompletionGuard, TaskEnd};
use progress::TaskProgress;
use spawn::spawn;
use task::{CancelReason, RunningTask};

/// Time that a task or a service has.
#[derive(Clone, Copy)]
pub(crate) struct Deadline {
    /// Moment at which it is cancelled.
    pub(crate) cancel_at: Instant,
    /// Limit that it has reached then.
    pub(crate) limit: Limit,
    /// Latest moment at which it is abandoned, if it doesn't end when it is cancelled.
    pub(crate) abandon_at: Instant,
}

/// Tasks that are running. Their time is enforced from outside, as a task that blocks its thread
/// can't do that itself.
pub(crate) struct RunningTasks {
    hooks: HookRuntime,
    /// Running task of each step.
    running: Vec<Option<RunningTask>>,
    count: usize,
    completion_sender: UnboundedSender<Completion>,
    completions: UnboundedReceiver<Completion>,
    /// Steps that wait for services.
    service_waits: FuturesUnordered<BoxFuture<'static, Completion>>,
    /// Completions that have arrived, the latest first.
    arrived: Vec<Completion>,
    /// Moment of their arrival.
    arrived_at: Instant,
    /// Timer that goes off at the next moment at which a task is due. That task may have ended
    /// before.
    alarm: Pin<Box<Sleep>>,
    alarm_at: Option<Instant>,
}

/// End of a step's task.
pub(crate) struct EndedTask {
    pub(crate) step: usize,
    pub(crate) at: Instant,
    pub(crate) took: Duration,
    pub(crate) result: Result<Value, Outcome>,
}

impl EndedTask {
    /// Returns the outcome of the task.
    pub(super) fn outcome(&self) -> Outcome {
        self.result.as_ref().err().cloned().unwrap_or(Outcome::Succeeded)
    }
}

impl RunningTasks {
    /// Makes an empty set for a phase of this many steps, whose tasks run on this runtime.
    pub(crate) fn new(steps: usize, hooks: &HookRuntime) -> Self {
        let (completion_sender, completions) = unbounded_channel();
        let now = Instant::now();
        Self {
            hooks: hooks.clone(),
            running: std::iter::repeat_with(|| None).take(steps).collect(),
            count: 0,
            completion_sender,
            completions,
            service_waits: FuturesUnordered::new(),
            arrived: Vec::new(),
            arrived_at: now,
            alarm: Box::pin(sleep_until(now)),
            alarm_at: None,
        }
    }

    /// Starts the task of a step in this span and gives it this time.
    pub(crate) fn begin(
        &mut self,
        step: usize,
        hook: &'static HookMeta,
        task: Task,
        span: Span,
        now: Instant,
        time: Deadline,
    ) {
        let completion = CompletionGuard::new(self.completion_sender.clone(), step);
        let progress = Arc::<TaskProgress>::default();
        let is_on_thread = !matches!(task, Task::Future(_));
        let handle = spawn(&self.hooks, hook, task, span, completion, Arc::clone(&progress));
        self.enlist(step, RunningTask::of_hook(hook, handle, is_on_thread, progress, now, time));
    }

    /// Adds a step that waits for a service: `end` is the service's end, or its readiness. The
    /// service is cancelled by these commands if the wait takes longer than this time.
    pub(super) fn await_service(
        &mut self,
        step: usize,
        hook: &'static HookMeta,
        commands: CommandSender,
        end: impl Future<Output = ServiceEnd> + Send + 'static,
        now: Instant,
        time: Deadline,
    ) {
        self.enlist(step, RunningTask::of_service(hook, commands, now, time));
        let wait = async move { Completion { step, how: end.await.into() } };
        self.service_waits.push(wait.boxed());
    }

    /// Returns `true` if a task is running, or has ended and has not been returned yet.
    pub(super) fn is_busy(&self) -> bool {
        self.count > 0
    }

    fn enlist(&mut self, step: usize, task: RunningTask) {
        let due = task.due;
        self.running[step] = Some(task);
        self.count += 1;
        self.wake_at(due);
    }

    /// Cancels the tasks that are running, except those whose hooks learn from `Stop` that they
    /// should end: these have their time to do so, until shortly before `at`. A task that can't be
    /// cancelled has until `at`.
    pub(super) fn give_up(&mut self, at: Instant) {
        let last_call = at.checked_sub(ABANDON_AFTER).unwrap_or(at);
        for step in 0..self.running.len() {
            match &mut self.running[step] {
                Some(task) if task.may_end_itself() => {
                    task.request_stop(last_call);
                    task.abandon_at = at;
                    let due = task.due;
                    self.wake_at(due);
                }
                _ => self.cancel_one(step, CancelReason::GivenUp, at),
            }
        }
    }

    /// Cancels the tasks that are running. A task that can't be cancelled, as work on the blocking
    /// pool can't, has until `give_up`.
    pub(crate) fn cancel(&mut self, give_up: Instant) {
        for step in 0..self.running.len() {
            self.cancel_one(step, CancelReason::GivenUp, give_up);
        }
    }

    /// Cancels the services that are running, as a hurried stop doesn't wait for them.
    pub(super) fn hurry_services(&mut self, now: Instant) {
        for task in self.running.iter_mut().flatten() {
            task.hurry_service(now);
        }
        self.wake_at(now);
    }

    fn cancel_one(&mut self, step: usize, reason: CancelReason, give_up: Instant) {
        if let Some(task) = &mut self.running[step] {
            task.cancel(reason, give_up);
            let due = task.due;
            self.wake_at(due);
        }
    }

    fn wake_at(&mut self, at: Instant) {
        if self.alarm_at.is_none_or(|alarm| at < alarm) {
            self.alarm.as_mut().reset(at);
            self.alarm_at = Some(at);
        }
    }

    /// Waits for the next task that ends or is abandoned, and returns it. Returns `None` when
    /// nothing is running.
    ///
    /// This is cancel safe: an end that has not been returned will be.
    pub(crate) async fn next(&mut self) -> Option<EndedTask> {
        loop {
            if let Some(ended) = self.next_ended() {
                return Some(ended);
            }
            if self.count == 0 {
                return None;
            }
            tokio::select! {
                biased;
                _ = self.completions.recv_many(&mut self.arrived, usize::MAX) => {}
                Some(completion) = self.service_waits.next(), if !self.service_waits.is_empty() => {
                    self.arrived.push(completion);
                }
                () = self.alarm.as_mut(), if self.alarm_at.is_some() => self.alarmed(),
            }
            self.arrived_at = Instant::now();
            self.arrived.reverse();
        }
    }

    /// Returns the next task whose end has arrived already, without waiting.
    pub(crate) fn next_ended(&mut self) -> Option<EndedTask> {
        while let Some(Completion { step, how }) = self.arrived.pop() {
            // Nobody waits any more for a task that was abandoned before.
            let Some(task) = self.take(step) else {
                if let TaskEnd::Itself(Ok(value)) = how
                    && value.needs_drop()
                {
                    drop(self.hooks.spawn_blocking(move || drop(value)));
                }
                continue;
            };
            let result = match how {
                TaskEnd::Itself(result) => result,
                TaskEnd::Cancelled => Err(task.outcome(true)),
                TaskEnd::Abandoned => Err(task.outcome(false)),
            };
            let at = self.arrived_at;
            let took = at.saturating_duration_since(task.began);
            return Some(EndedTask { step, at, took, result });
        }
        None
    }

    /// Looks at all running tasks: cancels those that are due, and abandons those that were
    /// cancelled before. Where the alarm comes late, the machine lets threads wait, and those of
    /// the hooks as well: a task has as much more time to end.
    fn alarmed(&mut self) {
        let now = Instant::now();
        self.alarm_at = None;
        for step in 0..self.running.len() {
            match &mut self.running[step] {
                Some(task) if task.due > now => {
                    let due = task.due;
                    self.wake_at(due);
                }
                Some(task) if !task.is_cancelled() => {
                    let lateness = now - task.due;
                    let give_up = (now + ABANDON_AFTER + lateness).min(task.abandon_at);
                    self.cancel_one(step, CancelReason::TimedOut, give_up);
                }
                Some(task) => match task.postponed(now) {
                    Some(due) => self.wake_at(due),
                    None => self.arrived.push(Completion { step, how: TaskEnd::Abandoned }),
                },
                None => {}
            }
        }
    }

    fn take(&mut self, step: usize) -> Option<RunningTask> {
        let task = self.running[step].take()?;
        self.count -= 1;
        Some(task)
    }
}

/// Cancels what still runs: no task outlives its phase.
impl Drop for RunningTasks {
    fn drop(&mut self) {
        self.running.iter().flatten().for_each(RunningTask::abort);
    }
}
