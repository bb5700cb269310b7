//! The hooks that are running now: each a task of its own, with the time it has.

use std::any::Any;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::AbortHandle;
use tokio::time::{Instant, Sleep, sleep_until};
use tracing::{Instrument, Span};

use crate::error;
use crate::event::{Limit, Outcome};
use crate::hook::{HookMeta, Kind};
use crate::task::{Task, TaskResult, Value};

/// How long a cancelled hook may take to end before it is left to itself.
pub(super) const ABANDON_AFTER: Duration = Duration::from_millis(100);

/// Runs tasks and enforces their time from outside: a task that blocks its thread can't do it itself.
pub(super) struct Crew {
    /// Per step, what runs.
    running: Vec<Option<Running>>,
    count: usize,
    news: UnboundedReceiver<News>,
    teller: UnboundedSender<News>,
    /// When to look at a step again, the earliest first. Steps that have ended stay in it until then.
    due: BinaryHeap<Reverse<(Instant, usize)>>,
    alarm: Pin<Box<Sleep>>,
    alarm_at: Option<Instant>,
}

struct Running {
    began: Instant,
    limit: Limit,
    handle: AbortHandle,
    cancelled: Option<Reason>,
}

#[derive(Clone, Copy)]
enum Reason {
    TimedOut,
    GivenUp,
}

/// A task is over: with what it returned, with what it panicked with, or because it was cancelled.
struct News {
    step: usize,
    how: Option<std::thread::Result<TaskResult>>,
}

/// How a step's task ended.
pub(super) struct Ended {
    pub(super) step: usize,
    pub(super) at: Instant,
    pub(super) took: Duration,
    pub(super) result: Result<Value, Outcome>,
}

impl Crew {
    /// A crew for a phase of this many steps.
    pub(super) fn new(steps: usize) -> Self {
        let (teller, news) = unbounded_channel();
        Self {
            running: std::iter::repeat_with(|| None).take(steps).collect(),
            count: 0,
            news,
            teller,
            due: BinaryHeap::new(),
            alarm: Box::pin(sleep_until(Instant::now())),
            alarm_at: None,
        }
    }

    /// Starts a task, which has to end by `deadline`.
    pub(super) fn begin(
        &mut self,
        step: usize,
        hook: &'static HookMeta,
        task: Task,
        now: Instant,
        (deadline, limit): (Instant, Limit),
    ) {
        let end = End { teller: self.teller.clone(), step, how: None };
        let span = tracing::info_span!("hook", name = hook.name, kind = hook.kind.attribute());
        let handle = match task {
            Task::Blocking(work) => tokio::task::spawn_blocking(move || {
                end.with(catch_unwind(AssertUnwindSafe(|| span.in_scope(|| usable(work(), hook)))));
            })
            .abort_handle(),
            Task::Future(future) => spawn(Watched { future: Some(future), hook, end }, span),
        };
        self.running[step] = Some(Running { began: now, limit, handle, cancelled: None });
        self.count += 1;
        self.look_again(step, deadline);
    }

    /// Cancels what is running. What can't be cancelled, as work on the blocking pool can't, has until `give_up`.
    pub(super) fn cancel(&mut self, give_up: Instant) {
        for step in 0..self.running.len() {
            self.cancel_one(step, Reason::GivenUp, give_up);
        }
    }

    fn cancel_one(&mut self, step: usize, reason: Reason, give_up: Instant) {
        if let Some(running) = &mut self.running[step] {
            running.handle.abort();
            running.cancelled = Some(running.cancelled.unwrap_or(reason));
            self.look_again(step, give_up);
        }
    }

    fn look_again(&mut self, step: usize, at: Instant) {
        self.due.push(Reverse((at, step)));
        if self.alarm_at.is_none_or(|alarm| at < alarm) {
            self.alarm.as_mut().reset(at);
            self.alarm_at = Some(at);
        }
    }

    /// The next task that ends, or is left to itself. `None` when nothing is running.
    ///
    /// Cancel safe: what has not been returned will be.
    pub(super) async fn next(&mut self) -> Option<Ended> {
        while self.count > 0 {
            tokio::select! {
                biased;
                Some(news) = self.news.recv() => {
                    if let Some(ended) = self.hear(news) {
                        return Some(ended);
                    }
                }
                () = self.alarm.as_mut(), if self.alarm_at.is_some() => {
                    if let Some(ended) = self.alarmed() {
                        return Some(ended);
                    }
                }
            }
        }
        None
    }

    /// The next task that has ended already, without waiting for any.
    pub(super) fn next_ended(&mut self) -> Option<Ended> {
        while let Ok(news) = self.news.try_recv() {
            if let Some(ended) = self.hear(news) {
                return Some(ended);
            }
        }
        None
    }

    fn hear(&mut self, news: News) -> Option<Ended> {
        // One that was abandoned before is of no interest any more.
        let running = self.take(news.step)?;
        let result = match news.how {
            Some(Ok(Ok(value))) => Ok(value),
            Some(Ok(Err(error))) => Err(Outcome::Failed { error: error::chain(&*error) }),
            Some(Err(panic)) => Err(Outcome::Panicked { message: message(&*panic) }),
            None => Err(running.stopped(true)),
        };
        Some(running.ended(news.step, result))
    }

    /// Looks at every step that is due: cancels it, or abandons one that was cancelled before.
    fn alarmed(&mut self) -> Option<Ended> {
        let now = Instant::now();
        let mut ended = None;
        while ended.is_none()
            && let Some(&Reverse((at, step))) = self.due.peek()
            && (at <= now || self.running[step].is_none())
        {
            self.due.pop();
            match self.running[step].as_ref().map(|running| running.cancelled) {
                None => {}
                Some(None) => self.cancel_one(step, Reason::TimedOut, now + ABANDON_AFTER),
                Some(Some(_)) => {
                    ended = self.take(step).map(|running| {
                        let outcome = running.stopped(false);
                        running.ended(step, Err(outcome))
                    });
                }
            }
        }
        self.alarm_at = self.due.peek().map(|Reverse((at, _))| *at);
        if let Some(at) = self.alarm_at {
            self.alarm.as_mut().reset(at);
        }
        ended
    }

    fn take(&mut self, step: usize) -> Option<Running> {
        let running = self.running[step].take()?;
        self.count -= 1;
        Some(running)
    }
}

/// What the crew has to do with a task is over when the run is: it is not to outlive it.
impl Drop for Crew {
    fn drop(&mut self) {
        self.running.iter().flatten().for_each(|running| running.handle.abort());
    }
}

/// In a span only where somebody looks at spans.
fn spawn(future: impl Future<Output = ()> + Send + 'static, span: Span) -> AbortHandle {
    match span.is_disabled() {
        true => tokio::spawn(future).abort_handle(),
        false => tokio::spawn(future.instrument(span)).abort_handle(),
    }
}

/// A hook's future, whose panics are caught, as the end has to be told with what it ended with. When it is dropped the
/// future goes first: what is told of has ended for good.
struct Watched {
    future: Option<Pin<Box<dyn Future<Output = TaskResult> + Send>>>,
    hook: &'static HookMeta,
    end: End,
}

impl Future for Watched {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let hook = self.hook;
        let Some(future) = &mut self.future else { return Poll::Ready(()) };
        let end = match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context).map(|end| usable(end, hook)))) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(result)) => Ok(result),
            Err(panic) => Err(panic),
        };
        self.end.how = Some(end);
        Poll::Ready(())
    }
}

/// Drops a value that nobody can name, here: a drop is code of the user's, and part of the hook.
fn usable(result: TaskResult, hook: &HookMeta) -> TaskResult {
    match result {
        Ok(value) if hook.kind != Kind::Startup && value.drop_runs_code() => {
            drop(value);
            Ok(Value::new(()))
        }
        result => result,
    }
}

/// Tells of a task's end, also if that is a cancellation: then the task is dropped, and this with it.
struct End {
    teller: UnboundedSender<News>,
    step: usize,
    how: Option<std::thread::Result<TaskResult>>,
}

impl End {
    fn with(mut self, how: std::thread::Result<TaskResult>) {
        self.how = Some(how);
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let _ = self.teller.send(News { step: self.step, how: self.how.take() });
    }
}

impl Running {
    fn stopped(&self, ended: bool) -> Outcome {
        match self.cancelled {
            Some(Reason::TimedOut) => Outcome::TimedOut { limit: self.limit, ended },
            // Nobody but the crew holds the handle: without a reason of its own the runtime itself is shutting down.
            Some(Reason::GivenUp) | None => Outcome::Cancelled { ended },
        }
    }

    fn ended(&self, step: usize, result: Result<Value, Outcome>) -> Ended {
        let at = Instant::now();
        Ended { step, at, took: at.saturating_duration_since(self.began), result }
    }
}

/// What a panic says.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a value that is not a text").to_owned()
}
