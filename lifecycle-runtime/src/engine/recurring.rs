//! Hooks that run again and again: health checks by the clock, signal hooks when a signal arrives.
//!
//! They begin when the start is over, except for startup checks, which run as soon as what they
//! need has started, and readiness checks, whose first run is the last step of the start. All of
//! them have ended, or are abandoned, when the shutdown hooks begin. No hook runs beside itself.

mod checks;
mod signals;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::FutureExt;
use tokio::sync::{Mutex, OwnedMutexGuard, watch};
use tokio::time::{Instant, sleep_until};

use crate::engine::Engine;
use crate::engine::executor::{Deadline, EndedTask, RunningTasks};
use crate::event::{Event, Limit, Outcome};
use crate::hook::state::State;
use crate::hook::stop::{Progress, hurried};
use crate::hook::task::{Task, all};
use crate::hook::{HookMeta, Kind};
use crate::observe::health::Checks;
use crate::observe::trace::span;
use crate::plan::ABANDON_AFTER;

pub(crate) use checks::FirstChecks;
pub(crate) use signals::Inbox;

/// Runner of the recurring hooks.
pub(crate) struct Recurring {
    pub(crate) engine: Arc<Engine>,
    pub(crate) progress: watch::Receiver<Progress>,
    pub(crate) checks: Checks,
    pub(crate) first_checks: FirstChecks,
    pub(crate) inbox: Inbox,
    /// Part of the stop's time that belongs to the shutdown hooks.
    pub(crate) reserve: Duration,
}

impl Recurring {
    /// Runs all recurring hooks, until a stop begins and none runs any more.
    pub(crate) async fn run(&self) {
        all(self.checks().map(FutureExt::boxed).chain(self.reactions().map(FutureExt::boxed)))
            .await;
    }

    /// Runs a hook once, and returns its outcome and the time that it took. Returns `None` if the
    /// hook was cancelled because a stop began.
    async fn once(&self, permit: &mut RunPermit) -> Option<(Outcome, Duration)> {
        let (hook, began) = (permit.hook, Instant::now());
        let Some(guard) = permit.take(began) else {
            // The earlier run could not be cancelled and goes on. A second run beside it would do
            // no better.
            let outcome = Outcome::TimedOut { limit: Limit::Timeout, ended: false };
            let took = began.saturating_duration_since(permit.taken);
            self.engine
                .events
                .emit_at(began, &Event::HookEnded { hook, outcome: outcome.clone(), took });
            return Some((outcome, took));
        };
        self.engine.events.emit_at(began, &Event::HookStarted { hook });
        let mut running_tasks = RunningTasks::new(1, &self.engine.hooks);
        let own = hook.timeout().and_then(|timeout| began.checked_add(timeout));
        let scope = self.engine.scope.of_hook(own, true);
        let task = guarded((self.engine.work)(hook, scope), guard);
        let deadline = own.unwrap_or(began + NEVER);
        let time = Deadline {
            cancel_at: deadline,
            limit: Limit::Timeout,
            abandon_at: deadline + ABANDON_AFTER,
        };
        running_tasks.begin(0, hook, task, span(hook), began, time);
        let mut progress = self.progress.clone();
        let ended = tokio::select! {
            biased;
            ended = running_tasks.next() => ended,
            () = stop_begun(&mut progress) => self.give_up(&mut running_tasks, hook).await,
        }?;
        let outcome = ended.result.err().unwrap_or(Outcome::Succeeded);
        let cancelled = matches!(outcome, Outcome::Cancelled { .. });
        self.engine.events.emit_at(
            ended.at,
            &Event::HookEnded { hook, outcome: outcome.clone(), took: ended.took },
        );
        (!cancelled).then_some((outcome, ended.took))
    }

    /// Waits for the end of a hook that the stop finds running, and returns it. A health check is
    /// cancelled at once, as nobody needs its result any more; a signal hook is allowed to finish.
    /// Both have ended or are abandoned when the time of the shutdown hooks begins.
    async fn give_up(
        &self,
        running_tasks: &mut RunningTasks,
        hook: &HookMeta,
    ) -> Option<EndedTask> {
        let now = Instant::now();
        let end =
            self.progress.borrow().deadline.unwrap_or(now).checked_sub(self.reserve).unwrap_or(now);
        let last_call = end.checked_sub(ABANDON_AFTER).unwrap_or(now);
        let mut patience = Some(if hook.kind == Kind::HealthCheck { now } else { last_call });
        let mut asked = self.engine.asked();
        let mut hurries = false;
        loop {
            tokio::select! {
                biased;
                ended = running_tasks.next() => return ended,
                () = hurried(&mut asked), if !hurries => {
                    (hurries, patience) = (true, None);
                    running_tasks.cancel(end.min(Instant::now() + ABANDON_AFTER));
                }
                () = sleep_until(patience.unwrap_or(now)), if patience.is_some() => {
                    patience = None;
                    running_tasks.cancel(end);
                }
            }
        }
    }
}

/// Time that is longer than any process lives.
const NEVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// Permit to run a hook. One run at a time holds it, until the run has ended for good, even after
/// it was abandoned.
struct RunPermit {
    hook: &'static HookMeta,
    free: Arc<Mutex<()>>,
    /// Beginning of the last run that held it.
    taken: Instant,
}

impl RunPermit {
    fn of(hook: &'static HookMeta) -> Self {
        Self { hook, free: Arc::default(), taken: Instant::now() }
    }

    /// Takes the permit for a run that begins now, unless an earlier run holds it.
    fn take(&mut self, now: Instant) -> Option<OwnedMutexGuard<()>> {
        let guard = Arc::clone(&self.free).try_lock_owned().ok()?;
        self.taken = now;
        Some(guard)
    }
}

/// Adds a guard to a task, which holds it until the task is gone.
fn guarded(task: Task, guard: OwnedMutexGuard<()>) -> Task {
    match task {
        Task::Future(future) => Task::future(async move {
            let _guard = guard;
            future.await
        }),
        Task::Blocking(work) => Task::blocking(move || {
            let _guard = guard;
            work()
        }),
        Task::Delayed(wait, work) => Task::Delayed(
            wait,
            Box::new(move || {
                let _guard = guard;
                work()
            }),
        ),
    }
}

async fn reached(progress: &mut watch::Receiver<Progress>, state: State) {
    // If the sender is gone, there is no run any more: that counts as stopped.
    let _ = progress.wait_for(|now| now.state >= state).await;
}

async fn stop_begun(progress: &mut watch::Receiver<Progress>) {
    reached(progress, State::Draining).await;
}

/// Waits until the start is over. Returns `false` if a stop comes first.
async fn start_over(progress: &mut watch::Receiver<Progress>) -> bool {
    reached(progress, State::Ready).await;
    progress.borrow().state == State::Ready
}
