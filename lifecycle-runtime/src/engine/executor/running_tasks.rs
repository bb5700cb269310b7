//! Tasks of the hooks that are running now, each with the time that it has.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::{Instant, Sleep, sleep_until};
use tracing::{Instrument, Span};

use crate::engine::services::ServiceEnd;
use crate::event::{Limit, Outcome};
use crate::hook::runtime::HookRuntime;
use crate::hook::stop::{CommandSender, Expiry};
use crate::hook::task::{Task, TaskResult, Value};
use crate::hook::{HookMeta, Kind};
use crate::observe::trace;
use crate::plan::ABANDON_AFTER;

/// Time that a cancelled task has to end, however late it is.
const LAST_CALL: Duration = Duration::from_millis(10);

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

struct RunningTask {
    began: Instant,
    /// Moment at which it is cancelled or, if it has been cancelled, abandoned.
    due: Instant,
    limit: Limit,
    abandon_at: Instant,
    handle: TaskHandle,
    cancelled: Option<CancelReason>,
    /// Set if the hook learns from `Stop` that it should end.
    takes_stop: bool,
    /// Timeout of a service, once it is told to stop.
    stop_timeout: Option<Duration>,
    /// Progress of the task; `None` for a service, whose supervisor reports its end.
    progress: Option<Arc<TaskProgress>>,
}

/// Marker of a task's progress: waiting for a thread, running on one, or waiting for something
/// else.
#[derive(Default)]
struct TaskProgress(AtomicU8);

impl TaskProgress {
    /// State of a task that no thread has taken up.
    const WAITS_FOR_THREAD: u8 = 0;
    /// State of a task that a thread is running.
    const RUNS: u8 = 1;
    /// State of a task that waits for something.
    const WAITS: u8 = 2;

    fn set(&self, state: u8) {
        self.0.store(state, Ordering::Relaxed);
    }

    fn get(&self) -> u8 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Handle that cancels a task or a service.
enum TaskHandle {
    Task(JoinHandle<()>),
    /// Commands to the supervisor, which cancels the service.
    Service(CommandSender),
}

#[derive(Clone, Copy)]
enum CancelReason {
    TimedOut,
    GivenUp,
}

/// Message that a task has ended.
struct Completion {
    step: usize,
    how: TaskEnd,
}

enum TaskEnd {
    /// It ended by itself.
    Itself(Result<Value, Outcome>),
    /// It was cancelled.
    Cancelled,
    /// It was cancelled, did not end, and is not waited for any more.
    Abandoned,
}

impl TaskEnd {
    fn of_service(end: ServiceEnd) -> Self {
        match end {
            ServiceEnd::Itself(result) => Self::Itself(result.map(|()| Value::new(()))),
            ServiceEnd::Cancelled => Self::Cancelled,
        }
    }
}

/// End of a step's task.
pub(crate) struct EndedTask {
    pub(crate) step: usize,
    pub(crate) at: Instant,
    pub(crate) took: Duration,
    pub(crate) result: Result<Value, Outcome>,
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

    /// Starts the task of a step and gives it this time.
    pub(crate) fn begin(
        &mut self,
        step: usize,
        hook: &'static HookMeta,
        task: Task,
        now: Instant,
        time: Deadline,
    ) {
        let end = CompletionGuard {
            completion_sender: self.completion_sender.clone(),
            step,
            how: TaskEnd::Cancelled,
        };
        let progress = Arc::<TaskProgress>::default();
        let of_task = Arc::clone(&progress);
        let span = trace::span(hook);
        let handle = match task {
            Task::Blocking(work) => self.hooks.spawn_blocking(move || {
                of_task.set(TaskProgress::RUNS);
                end.complete(TaskEnd::Itself(caught(|| span.in_scope(|| usable(work(), hook)))));
            }),
            Task::Future(future) => spawn(
                &self.hooks,
                HookFuture { future: Some(future), hook, end, progress: of_task },
                span,
            ),
        };
        let running = RunningTask {
            takes_stop: hook.takes_stop(),
            progress: Some(progress),
            ..RunningTask::new(TaskHandle::Task(handle), now, time)
        };
        self.enlist(step, running);
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
        let running = RunningTask {
            takes_stop: hook.takes_stop() || hook.takes_service_handle(),
            stop_timeout: hook.timeout,
            ..RunningTask::new(TaskHandle::Service(commands), now, time)
        };
        self.enlist(step, running);
        let wait = async move { Completion { step, how: TaskEnd::of_service(end.await) } };
        self.service_waits.push(wait.boxed());
    }

    /// Returns `true` if a task is running, or has ended and has not been returned yet.
    pub(super) fn is_busy(&self) -> bool {
        self.count > 0
    }

    fn enlist(&mut self, step: usize, running: RunningTask) {
        let due = running.due;
        self.running[step] = Some(running);
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
                Some(running) if running.takes_stop && running.cancelled.is_none() => {
                    running.request_stop(last_call);
                    running.abandon_at = at;
                    let due = running.due;
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
        for running in self.running.iter_mut().flatten() {
            if let RunningTask { handle: TaskHandle::Service(_), cancelled: None, .. } = running {
                (running.due, running.limit) = (now, Limit::Hurry);
            }
        }
        self.wake_at(now);
    }

    fn cancel_one(&mut self, step: usize, reason: CancelReason, give_up: Instant) {
        if let Some(running) = &mut self.running[step] {
            running.handle.cancel();
            // A task that was cancelled before may be abandoned at once.
            let due = if running.cancelled.is_some() {
                give_up
            } else {
                give_up.max(Instant::now() + LAST_CALL)
            };
            running.cancelled = Some(running.cancelled.unwrap_or(reason));
            running.due = due;
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
            let Some(running) = self.take(step) else {
                if let TaskEnd::Itself(Ok(value)) = how
                    && value.needs_drop()
                {
                    drop(self.hooks.spawn_blocking(move || drop(value)));
                }
                continue;
            };
            let result = match how {
                TaskEnd::Itself(result) => result,
                TaskEnd::Cancelled => Err(running.stopped(true)),
                TaskEnd::Abandoned => Err(running.stopped(false)),
            };
            let at = self.arrived_at;
            return Some(EndedTask {
                step,
                at,
                took: at.saturating_duration_since(running.began),
                result,
            });
        }
        None
    }

    /// Looks at all running tasks: cancels those that are due, and abandons those that were
    /// cancelled before.
    fn alarmed(&mut self) {
        let now = Instant::now();
        self.alarm_at = None;
        for step in 0..self.running.len() {
            match &self.running[step] {
                Some(running) if running.due > now => self.wake_at(running.due),
                Some(RunningTask { cancelled: None, abandon_at, .. }) => {
                    let give_up = (now + ABANDON_AFTER).min(*abandon_at);
                    self.cancel_one(step, CancelReason::TimedOut, give_up);
                }
                Some(_) => self.arrived.push(Completion { step, how: TaskEnd::Abandoned }),
                None => {}
            }
        }
    }

    fn take(&mut self, step: usize) -> Option<RunningTask> {
        let running = self.running[step].take()?;
        self.count -= 1;
        Some(running)
    }
}

/// Cancels what still runs: no task outlives its phase.
impl Drop for RunningTasks {
    fn drop(&mut self) {
        self.running.iter().flatten().for_each(|running| running.handle.cancel());
    }
}

/// Spawns a future, inside its span only if a subscriber is interested in it.
fn spawn(
    hooks: &HookRuntime,
    future: impl Future<Output = ()> + Send + 'static,
    span: Span,
) -> JoinHandle<()> {
    if span.is_disabled() {
        hooks.spawn(future)
    } else {
        hooks.spawn(future.instrument(span).boxed())
    }
}

/// Future of a hook that catches panics, so that its completion carries the outcome. When it is
/// dropped, the hook's future goes first: a hook has ended for good before its completion is sent.
struct HookFuture {
    future: Option<Pin<Box<dyn Future<Output = TaskResult> + Send>>>,
    hook: &'static HookMeta,
    end: CompletionGuard,
    progress: Arc<TaskProgress>,
}

impl Future for HookFuture {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let hook = self.hook;
        self.progress.set(TaskProgress::RUNS);
        let Some(future) = &mut self.future else { return Poll::Ready(()) };
        let polled = catch_unwind(AssertUnwindSafe(|| {
            future.as_mut().poll(context).map(|end| usable(end, hook))
        }));
        self.end.how = TaskEnd::Itself(match polled {
            Ok(Poll::Pending) => {
                self.progress.set(TaskProgress::WAITS);
                return Poll::Pending;
            }
            Ok(Poll::Ready(result)) => result,
            Err(panic) => Err(Outcome::panicked(&*panic)),
        });
        Poll::Ready(())
    }
}

impl Drop for HookFuture {
    fn drop(&mut self) {
        // The drop of the future runs code of the user's, too.
        self.progress.set(TaskProgress::RUNS);
    }
}

/// Calls a function, and returns its panic as an outcome.
fn caught(call: impl FnOnce() -> Result<Value, Outcome>) -> Result<Value, Outcome> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| Err(Outcome::panicked(&*panic)))
}

/// Drops a value that nobody can name, and puts an error into words. Both run code of the user's
/// and belong to the hook, so they happen here.
fn usable(result: TaskResult, hook: &HookMeta) -> Result<Value, Outcome> {
    match result {
        Ok(value) if hook.kind != Kind::Startup && value.drop_runs_code() => {
            drop(value);
            Ok(Value::new(()))
        }
        result => result.map_err(|error| Outcome::failed(&error)),
    }
}

/// Guard that sends the completion of a task, even of a cancelled one: a cancelled task is dropped,
/// and this guard with it.
struct CompletionGuard {
    completion_sender: UnboundedSender<Completion>,
    step: usize,
    how: TaskEnd,
}

impl CompletionGuard {
    fn complete(mut self, how: TaskEnd) {
        self.how = how;
    }
}

impl Drop for CompletionGuard {
    fn drop(&mut self) {
        let how = std::mem::replace(&mut self.how, TaskEnd::Cancelled);
        let _ = self.completion_sender.send(Completion { step: self.step, how });
    }
}

impl TaskHandle {
    fn cancel(&self) {
        match self {
            Self::Task(handle) => handle.abort(),
            Self::Service(commands) => commands.cancel(),
        }
    }
}

impl RunningTask {
    fn new(handle: TaskHandle, now: Instant, time: Deadline) -> Self {
        let Deadline { cancel_at, limit, abandon_at } = time;
        Self {
            began: now,
            due: cancel_at,
            limit,
            abandon_at,
            handle,
            cancelled: None,
            takes_stop: false,
            stop_timeout: None,
            progress: None,
        }
    }

    /// Lets the task end by itself: in its timeout, and until `until` at the latest.
    fn request_stop(&mut self, until: Instant) {
        if let TaskHandle::Service(commands) = &self.handle {
            let own = self.stop_timeout.and_then(|timeout| Instant::now().checked_add(timeout));
            (self.due, self.limit) = match own {
                Some(own) if own <= until => (own, Limit::Timeout),
                _ => (until, Limit::Grace),
            };
            commands.stop(Some(self.due));
            // The expiry holds even if the service becomes ready and nobody waits for its end yet.
            commands.set_expiry(Some(Expiry { at: self.due, is_hurried: false }));
        } else if until < self.due {
            (self.due, self.limit) = (until, Limit::Grace);
        }
    }

    fn stopped(&self, ended: bool) -> Outcome {
        let progress = self.progress.as_ref().map_or(TaskProgress::RUNS, |progress| progress.get());
        match (self.cancelled, progress) {
            _ if !ended && progress == TaskProgress::WAITS_FOR_THREAD => {
                Outcome::NotBegun { is_blocked: true }
            }
            // A thread that is free would have dropped it by now.
            (Some(CancelReason::TimedOut), TaskProgress::WAITS) if !ended => Outcome::Blocked,
            (Some(CancelReason::TimedOut), _) => Outcome::TimedOut { limit: self.limit, ended },
            // Nobody else holds the handle: if this has not cancelled the task, the runtime itself
            // is shutting down.
            (Some(CancelReason::GivenUp) | None, _) => Outcome::Cancelled { ended },
        }
    }
}
