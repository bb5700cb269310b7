//! The hooks that are running now: each a task of its own, with the time it has.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::FutureExt;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, Sleep, sleep_until};
use tracing::{Instrument, Span};

use crate::engine::services::{self, Listener};
use crate::event::{Limit, Outcome};
use crate::hook::runtime::HookRuntime;
use crate::hook::stop::{Expiry, Order, Orders};
use crate::hook::task::{Task, TaskResult, Value};
use crate::hook::{HookMeta, Kind};
use crate::plan::ABANDON_AFTER;

/// How long a task that was cancelled has to hear of it, however late it is.
const LAST_CALL: Duration = Duration::from_millis(10);

/// The time that something has.
#[derive(Clone, Copy)]
pub(crate) struct Time {
    /// When to cancel it.
    pub(crate) end: Instant,
    /// What it has run into then.
    pub(crate) limit: Limit,
    /// When it is left to itself at the latest, if it doesn't end then.
    pub(crate) gone: Instant,
}

/// Runs tasks and enforces their time from outside: a task that blocks its thread can't do it
/// itself.
pub(crate) struct Crew {
    hooks: HookRuntime,
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
    gone: Instant,
    hold: Hold,
    cancelled: Option<Reason>,
    /// Set if it learns from `Stop` that it should end.
    takes_stop: bool,
    /// Time that a service has then.
    stop_timeout: Option<Duration>,
    /// Whether a thread is at it; `None` of a service, whose supervisor tells.
    progress: Option<Arc<TaskProgress>>,
}

/// Whether a thread is at a task.
#[derive(Default)]
struct TaskProgress(AtomicU8);

impl TaskProgress {
    /// No thread has taken it up.
    const WAITS_FOR_THREAD: u8 = 0;
    /// A thread is at it.
    const RUNS: u8 = 1;
    /// It waits for something.
    const WAITS: u8 = 2;

    fn set(&self, state: u8) {
        self.0.store(state, Ordering::Relaxed);
    }

    fn get(&self) -> u8 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What something is cancelled by.
enum Hold {
    Task(JoinHandle<()>),
    /// Its supervisor does it.
    Service(watch::Sender<Orders>),
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
    /// By itself.
    Itself(Result<Value, Outcome>),
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
    /// A crew for a phase of this many steps, whose hooks run on this runtime.
    pub(crate) fn new(steps: usize, hooks: &HookRuntime) -> Self {
        let (teller, news) = unbounded_channel();
        let now = Instant::now();
        Self {
            hooks: hooks.clone(),
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

    /// Starts a task, which has this time.
    pub(crate) fn begin(
        &mut self,
        step: usize,
        hook: &'static HookMeta,
        task: Task,
        now: Instant,
        time: Time,
    ) {
        let end = Messenger { teller: self.teller.clone(), step, how: End::Cancelled };
        let progress = Arc::<TaskProgress>::default();
        let of_task = Arc::clone(&progress);
        let span =
            tracing::info_span!("hook", name = hook.display_name(), kind = hook.kind.attribute());
        let handle = match task {
            Task::Blocking(work) => self.hooks.spawn_blocking(move || {
                of_task.set(TaskProgress::RUNS);
                end.tell(End::Itself(caught(|| span.in_scope(|| usable(work(), hook)))));
            }),
            Task::Future(future) => spawn(
                &self.hooks,
                Watched { future: Some(future), hook, end, progress: of_task },
                span,
            ),
        };
        let running = Running {
            takes_stop: hook.takes_stop(),
            progress: Some(progress),
            ..Running::new(Hold::Task(handle), now, time)
        };
        self.enlist(step, running);
    }

    /// Waits for a service, which somebody else runs, to come to something in time. Who runs it
    /// tells the listener.
    pub(super) fn await_service(
        &mut self,
        step: usize,
        hook: &'static HookMeta,
        orders: watch::Sender<Orders>,
        now: Instant,
        time: Time,
    ) -> Listener {
        let end = Messenger { teller: self.teller.clone(), step, how: End::Cancelled };
        let running = Running {
            takes_stop: hook.takes_stop() || hook.takes_service_handle(),
            stop_timeout: hook.timeout,
            ..Running::new(Hold::Service(orders), now, time)
        };
        self.enlist(step, running);
        Box::new(|how| match how {
            services::End::Itself(result) => end.tell(End::Itself(result.map(|()| Value::new(())))),
            services::End::Cancelled => end.tell(End::Cancelled),
        })
    }

    /// Whether something is running, or has ended and has not been heard of.
    pub(super) fn is_busy(&self) -> bool {
        self.count > 0
    }

    fn enlist(&mut self, step: usize, running: Running) {
        let due = running.due;
        self.running[step] = Some(running);
        self.count += 1;
        self.wake_at(due);
    }

    /// Cancels what is running, but what learns from `Stop` that it should end: that has its time to
    /// do so, at most until it is to be abandoned. What can't be cancelled has until `at`.
    pub(super) fn give_up(&mut self, at: Instant) {
        let last_call = at.checked_sub(ABANDON_AFTER).unwrap_or(at);
        for step in 0..self.running.len() {
            match &mut self.running[step] {
                Some(running) if running.takes_stop && running.cancelled.is_none() => {
                    running.tell_to_stop(last_call);
                    running.gone = at;
                    let due = running.due;
                    self.wake_at(due);
                }
                _ => self.cancel_one(step, Reason::GivenUp, at),
            }
        }
    }

    /// Cancels what is running. What can't be cancelled, as work on the blocking pool can't, has
    /// until `give_up`.
    pub(crate) fn cancel(&mut self, give_up: Instant) {
        for step in 0..self.running.len() {
            self.cancel_one(step, Reason::GivenUp, give_up);
        }
    }

    /// Cancels the services that run: a stop that is hurried doesn't wait for them.
    pub(super) fn hurry_services(&mut self, now: Instant) {
        for running in self.running.iter_mut().flatten() {
            if let Running { hold: Hold::Service(_), cancelled: None, .. } = running {
                (running.due, running.limit) = (now, Limit::Hurry);
            }
        }
        self.wake_at(now);
    }

    fn cancel_one(&mut self, step: usize, reason: Reason, give_up: Instant) {
        if let Some(running) = &mut self.running[step] {
            running.hold.cancel();
            // Once it has been told, it may be given up at once.
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
            let Some(running) = self.take(step) else {
                if let End::Itself(Ok(value)) = how
                    && value.needs_drop()
                {
                    drop(self.hooks.spawn_blocking(move || drop(value)));
                }
                continue;
            };
            let result = match how {
                End::Itself(result) => result,
                End::Cancelled => Err(running.stopped(true)),
                End::Abandoned => Err(running.stopped(false)),
            };
            let at = self.heard_at;
            return Some(Ended {
                step,
                at,
                took: at.saturating_duration_since(running.began),
                result,
            });
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
                Some(Running { cancelled: None, gone, .. }) => {
                    let give_up = (now + ABANDON_AFTER).min(*gone);
                    self.cancel_one(step, Reason::TimedOut, give_up);
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
        self.running.iter().flatten().for_each(|running| running.hold.cancel());
    }
}

/// In a span only where somebody looks at spans.
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

/// A hook's future, whose panics are caught, as the end has to be told with what it ended with.
/// When it is dropped the future goes first: what is told of has ended for good.
struct Watched {
    future: Option<Pin<Box<dyn Future<Output = TaskResult> + Send>>>,
    hook: &'static HookMeta,
    end: Messenger,
    progress: Arc<TaskProgress>,
}

impl Future for Watched {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let hook = self.hook;
        self.progress.set(TaskProgress::RUNS);
        let Some(future) = &mut self.future else { return Poll::Ready(()) };
        let polled = catch_unwind(AssertUnwindSafe(|| {
            future.as_mut().poll(context).map(|end| usable(end, hook))
        }));
        self.end.how = End::Itself(match polled {
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

impl Drop for Watched {
    fn drop(&mut self) {
        // What it drops is code of the user's, too.
        self.progress.set(TaskProgress::RUNS);
    }
}

/// Calls this, and returns its panic as an outcome.
fn caught(call: impl FnOnce() -> Result<Value, Outcome>) -> Result<Value, Outcome> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| Err(Outcome::panicked(&*panic)))
}

/// Drops a value that nobody can name, and puts an error into words. Here, as both run code of the
/// user's, and are part of the hook.
fn usable(result: TaskResult, hook: &HookMeta) -> Result<Value, Outcome> {
    match result {
        Ok(value) if hook.kind != Kind::Startup && value.drop_runs_code() => {
            drop(value);
            Ok(Value::new(()))
        }
        result => result.map_err(|error| Outcome::failed(&error)),
    }
}

/// Tells of a task's end, also if that is a cancellation: then the task is dropped, and this with
/// it.
struct Messenger {
    teller: UnboundedSender<News>,
    step: usize,
    how: End,
}

impl Messenger {
    fn tell(mut self, how: End) {
        self.how = how;
    }
}

impl Drop for Messenger {
    fn drop(&mut self) {
        let how = std::mem::replace(&mut self.how, End::Cancelled);
        let _ = self.teller.send(News { step: self.step, how });
    }
}

impl Hold {
    fn cancel(&self) {
        match self {
            Self::Task(handle) => handle.abort(),
            Self::Service(orders) => services::order(orders, Order::Cancel, None),
        }
    }
}

impl Running {
    fn new(hold: Hold, now: Instant, time: Time) -> Self {
        let Time { end, limit, gone } = time;
        Self {
            began: now,
            due: end,
            limit,
            gone,
            hold,
            cancelled: None,
            takes_stop: false,
            stop_timeout: None,
            progress: None,
        }
    }

    /// Has it end by itself, in its time and until then.
    fn tell_to_stop(&mut self, until: Instant) {
        if let Hold::Service(orders) = &self.hold {
            let own = self.stop_timeout.and_then(|timeout| Instant::now().checked_add(timeout));
            (self.due, self.limit) = match own {
                Some(own) if own <= until => (own, Limit::Timeout),
                _ => (until, Limit::Grace),
            };
            services::order(orders, Order::Stop, Some(self.due));
            // Even if it becomes ready, and nobody waits for its end yet.
            let expiry = Expiry { at: self.due, is_hurried: false };
            orders.send_modify(|orders| orders.expiry = Some(expiry));
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
            (Some(Reason::TimedOut), TaskProgress::WAITS) if !ended => Outcome::Blocked,
            (Some(Reason::TimedOut), _) => Outcome::TimedOut { limit: self.limit, ended },
            // Nobody but the crew holds the handle: without a reason of its own the runtime itself
            // is shutting down.
            (Some(Reason::GivenUp) | None, _) => Outcome::Cancelled { ended },
        }
    }
}
