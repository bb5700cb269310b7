//! The hooks that are running now: each a task of its own, with the time it has.

use std::any::Any;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::pin::Pin;
use std::time::Duration;

use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::{Instant, Sleep, sleep_until};
use tracing::Instrument;

use crate::error;
use crate::event::{Limit, Outcome};
use crate::hook::HookMeta;
use crate::task::{Task, TaskResult, Value};

/// How long a cancelled hook may take to end before it is left to itself.
pub(super) const ABANDON_AFTER: Duration = Duration::from_millis(100);

/// Runs tasks and enforces their time from outside: a task that blocks its thread can't do it itself.
pub(super) struct Crew {
    tasks: JoinSet<TaskResult>,
    running: HashMap<Id, Running, foldhash::fast::RandomState>,
    /// When to look at a task again, the earliest first. Tasks that have ended stay in it until then.
    due: BinaryHeap<Reverse<(Instant, Id)>>,
    alarm: Pin<Box<Sleep>>,
    alarm_at: Option<Instant>,
}

struct Running {
    step: usize,
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

/// How a step's task ended.
pub(super) struct Ended {
    pub(super) step: usize,
    pub(super) took: Duration,
    pub(super) result: Result<Value, Outcome>,
}

impl Crew {
    pub(super) fn new() -> Self {
        Self {
            tasks: JoinSet::new(),
            running: HashMap::default(),
            due: BinaryHeap::new(),
            alarm: Box::pin(sleep_until(Instant::now())),
            alarm_at: None,
        }
    }

    /// Starts a task, which has to end by `deadline`.
    pub(super) fn begin(&mut self, step: usize, hook: &'static HookMeta, task: Task, deadline: Instant, limit: Limit) {
        let span = tracing::info_span!("hook", name = hook.name, kind = hook.kind.attribute());
        let handle = match task {
            Task::Future(future) => self.tasks.spawn(future.instrument(span)),
            Task::Blocking(work) => self.tasks.spawn_blocking(move || span.in_scope(work)),
        };
        let id = handle.id();
        self.running.insert(id, Running { step, began: Instant::now(), limit, handle, cancelled: None });
        self.look_again(id, deadline);
    }

    /// Cancels what is running. What can't be cancelled, as work on the blocking pool can't, has until `give_up`.
    pub(super) fn cancel(&mut self, give_up: Instant) {
        let ids: Vec<_> = self.running.keys().copied().collect();
        for id in ids {
            self.cancel_one(id, Reason::GivenUp, give_up);
        }
    }

    fn cancel_one(&mut self, id: Id, reason: Reason, give_up: Instant) {
        if let Some(running) = self.running.get_mut(&id) {
            running.handle.abort();
            running.cancelled = Some(running.cancelled.unwrap_or(reason));
            self.look_again(id, give_up);
        }
    }

    fn look_again(&mut self, id: Id, at: Instant) {
        self.due.push(Reverse((at, id)));
        if self.alarm_at.is_none_or(|alarm| at < alarm) {
            self.alarm.as_mut().reset(at);
            self.alarm_at = Some(at);
        }
    }

    /// The next task that ends, or is left to itself. `None` when nothing is running.
    ///
    /// Cancel safe: what has not been returned will be.
    pub(super) async fn next(&mut self) -> Option<Ended> {
        while !self.running.is_empty() {
            tokio::select! {
                biased;
                Some(joined) = self.tasks.join_next_with_id() => {
                    if let Some(ended) = self.joined(joined) {
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

    fn joined(&mut self, joined: Result<(Id, TaskResult), JoinError>) -> Option<Ended> {
        let (id, result) = match joined {
            Ok((id, result)) => (id, Ok(result)),
            Err(error) => (error.id(), Err(error)),
        };
        // One that was abandoned before is of no interest any more.
        let running = self.running.remove(&id)?;
        let result = match result {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(Outcome::Failed { error: error::chain(&*error) }),
            Err(error) => Err(match error.try_into_panic() {
                Ok(panic) => Outcome::Panicked { message: message(&*panic) },
                Err(_cancelled) => running.stopped(true),
            }),
        };
        Some(Ended { step: running.step, took: running.began.elapsed(), result })
    }

    /// Looks at every task that is due: cancels it, or abandons one that was cancelled before.
    fn alarmed(&mut self) -> Option<Ended> {
        let now = Instant::now();
        let mut ended = None;
        while ended.is_none()
            && let Some(&Reverse((at, id))) = self.due.peek()
            && (at <= now || !self.running.contains_key(&id))
        {
            self.due.pop();
            match self.running.get(&id).map(|running| running.cancelled) {
                Some(None) => self.cancel_one(id, Reason::TimedOut, now + ABANDON_AFTER),
                Some(Some(_)) => {
                    ended = self.running.remove(&id).map(|running| Ended {
                        step: running.step,
                        took: running.began.elapsed(),
                        result: Err(running.stopped(false)),
                    });
                }
                None => {}
            }
        }
        self.alarm_at = self.due.peek().map(|Reverse((at, _))| *at);
        if let Some(at) = self.alarm_at {
            self.alarm.as_mut().reset(at);
        }
        ended
    }
}

impl Running {
    fn stopped(&self, ended: bool) -> Outcome {
        match self.cancelled {
            Some(Reason::TimedOut) => Outcome::TimedOut { limit: self.limit, ended },
            // Nobody but us holds the handle, so without a reason of ours the runtime itself is shutting down.
            Some(Reason::GivenUp) | None => Outcome::Cancelled { ended },
        }
    }
}

/// What a panic says.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a value that is not a text").to_owned()
}
