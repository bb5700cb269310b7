//! The hooks that are running now: each a task of its own, with the time it has.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::{Instant, Sleep, sleep_until};
use tracing::{Instrument, Span};

use crate::error;
use crate::event::{Limit, Outcome};
use crate::hook::{HookMeta, Kind};
use crate::task::{Task, TaskResult, Value};

/// How long a cancelled hook may take to end before it is left to itself.
pub(crate) const ABANDON_AFTER: Duration = Duration::from_millis(100);

/// Runs tasks and enforces their time from outside: a task that blocks its thread can't do it itself.
pub(crate) struct Crew {
    /// Per step, what runs.
    running: Vec<Option<Running>>,
    count: usize,
    teller: UnboundedSender<News>,
    news: UnboundedReceiver<News>,
    /// News that have arrived, the latest first, and when.
    heard: Vec<News>,
    heard_at: Instant,
    /// Goes off when something is due, or was before it ended.
    alarm: Pin<Box<Sleep>>,
    alarm_at: Option<Instant>,
}

struct Running {
    began: Instant,
    /// When to cancel it; when to abandon it, if it is cancelled.
    due: Instant,
    limit: Limit,
    handle: JoinHandle<()>,
    cancelled: Option<Reason>,
}

#[derive(Clone, Copy)]
enum Reason {
    TimedOut,
    GivenUp,
}

/// A task is over.
struct News {
    step: usize,
    how: End,
}

enum End {
    /// With what it returned, or with what it panicked with.
    Itself(std::thread::Result<TaskResult>),
    /// Because it was cancelled.
    Cancelled,
    /// For us: it was cancelled and did not end.
    Abandoned,
}

/// How a step's task ended.
pub(crate) struct Ended {
    pub(crate) step: usize,
    pub(crate) at: Instant,
    pub(crate) took: Duration,
    pub(crate) result: Result<Value, Outcome>,
}

impl Crew {
    /// A crew for a phase of this many steps.
    pub(crate) fn new(steps: usize) -> Self {
        let (teller, news) = unbounded_channel();
        let now = Instant::now();
        Self {
            running: std::iter::repeat_with(|| None).take(steps).collect(),
            count: 0,
            teller,
            news,
            heard: Vec::new(),
            heard_at: now,
            alarm: Box::pin(sleep_until(now)),
            alarm_at: None,
        }
    }

    /// Starts a task, which has to end by `deadline`.
    pub(crate) fn begin(
        &mut self,
        step: usize,
        hook: &'static HookMeta,
        task: Task,
        now: Instant,
        (deadline, limit): (Instant, Limit),
    ) {
        let end = Messenger { teller: self.teller.clone(), step, how: End::Cancelled };
        let span = tracing::info_span!("hook", name = hook.name, kind = hook.kind.attribute());
        let handle = match task {
            Task::Blocking(work) => tokio::task::spawn_blocking(move || {
                end.with(catch_unwind(AssertUnwindSafe(|| span.in_scope(|| usable(work(), hook)))));
            }),
            Task::Future(future) => spawn(Watched { future: Some(future), hook, end }, span),
        };
        self.running[step] = Some(Running { began: now, due: deadline, limit, handle, cancelled: None });
        self.count += 1;
        self.wake_at(deadline);
    }

    /// Cancels what is running. What can't be cancelled, as work on the blocking pool can't, has until `give_up`.
    pub(crate) fn cancel(&mut self, give_up: Instant) {
        for step in 0..self.running.len() {
            self.cancel_one(step, Reason::GivenUp, give_up);
        }
    }

    fn cancel_one(&mut self, step: usize, reason: Reason, give_up: Instant) {
        if let Some(running) = &mut self.running[step] {
            running.handle.abort();
            running.cancelled = Some(running.cancelled.unwrap_or(reason));
            running.due = give_up;
            self.wake_at(give_up);
        }
    }

    fn wake_at(&mut self, at: Instant) {
        if self.alarm_at.is_none_or(|alarm| at < alarm) {
            self.alarm.as_mut().reset(at);
            self.alarm_at = Some(at);
        }
    }

    /// The next task that ends, or is left to itself. `None` when nothing is running.
    ///
    /// Cancel safe: what has not been returned will be.
    pub(crate) async fn next(&mut self) -> Option<Ended> {
        loop {
            if let Some(ended) = self.next_ended() {
                return Some(ended);
            }
            if self.count == 0 {
                return None;
            }
            tokio::select! {
                biased;
                _ = self.news.recv_many(&mut self.heard, usize::MAX) => {}
                () = self.alarm.as_mut(), if self.alarm_at.is_some() => self.alarmed(),
            }
            self.heard_at = Instant::now();
            self.heard.reverse();
        }
    }

    /// The next task that has been heard of already, without waiting for any.
    pub(crate) fn next_ended(&mut self) -> Option<Ended> {
        while let Some(News { step, how }) = self.heard.pop() {
            // One that was abandoned before is of no interest any more.
            let Some(running) = self.take(step) else { continue };
            let result = match how {
                End::Itself(Ok(Ok(value))) => Ok(value),
                End::Itself(Ok(Err(error))) => Err(Outcome::Failed { error: error::chain(&*error) }),
                End::Itself(Err(panic)) => Err(Outcome::Panicked { message: message(&*panic) }),
                End::Cancelled => Err(running.stopped(true)),
                End::Abandoned => Err(running.stopped(false)),
            };
            let at = self.heard_at;
            return Some(Ended { step, at, took: at.saturating_duration_since(running.began), result });
        }
        None
    }

    /// Looks at everything that runs: cancels what is due, and abandons what was cancelled before.
    fn alarmed(&mut self) {
        let now = Instant::now();
        self.alarm_at = None;
        for step in 0..self.running.len() {
            match &self.running[step] {
                Some(running) if running.due > now => self.wake_at(running.due),
                Some(Running { cancelled: None, .. }) => {
                    self.cancel_one(step, Reason::TimedOut, now + ABANDON_AFTER);
                }
                Some(_) => self.heard.push(News { step, how: End::Abandoned }),
                None => {}
            }
        }
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
fn spawn(future: impl Future<Output = ()> + Send + 'static, span: Span) -> JoinHandle<()> {
    match span.is_disabled() {
        true => tokio::spawn(future),
        false => tokio::spawn(future.instrument(span)),
    }
}

/// A hook's future, whose panics are caught, as the end has to be told with what it ended with. When it is dropped the
/// future goes first: what is told of has ended for good.
struct Watched {
    future: Option<Pin<Box<dyn Future<Output = TaskResult> + Send>>>,
    hook: &'static HookMeta,
    end: Messenger,
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
        self.end.how = End::Itself(end);
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
struct Messenger {
    teller: UnboundedSender<News>,
    step: usize,
    how: End,
}

impl Messenger {
    fn with(mut self, how: std::thread::Result<TaskResult>) {
        self.how = End::Itself(how);
    }
}

impl Drop for Messenger {
    fn drop(&mut self) {
        let how = std::mem::replace(&mut self.how, End::Cancelled);
        let _ = self.teller.send(News { step: self.step, how });
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
}

/// What a panic says.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a value that is not a text").to_owned()
}
