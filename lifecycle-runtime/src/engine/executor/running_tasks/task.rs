//! One running task, with its time and the handle that cancels it.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::Deadline;
use super::progress::TaskProgress;
use crate::event::{Limit, Outcome};
use crate::hook::HookMeta;
use crate::hook::stop::{CommandSender, Expiry};

/// Time that a cancelled task has to end, however late it is: one step of the async runtime. On a
/// machine that is too busy for it, the task counts as abandoned. It is as short as that because
/// nothing but the time for the report is left then.
const LAST_CALL: Duration = Duration::from_millis(10);

/// Shortest lateness of a timer that counts. A timer is not more precise than a millisecond, and a
/// machine with a free processor is less than this late. If it is too short, an end is looked for
/// once more.
const NOTICEABLE: Duration = Duration::from_millis(5);

/// Task that is running.
pub(super) struct RunningTask {
    pub(super) began: Instant,
    /// Moment at which it is cancelled or, if it has been cancelled, abandoned.
    pub(super) due: Instant,
    limit: Limit,
    pub(super) abandon_at: Instant,
    handle: TaskHandle,
    /// First reason for which it was cancelled, with the moment of that.
    cancelled: Option<(CancelReason, Instant)>,
    /// Set if it is work on the blocking pool, which can't be cancelled.
    is_on_thread: bool,
    /// Set if the hook learns from `Stop` that it should end.
    takes_stop: bool,
    /// Timeout of a service, once it is told to stop.
    stop_timeout: Option<Duration>,
    /// Progress of the task; `None` for a service, whose supervisor reports its end.
    progress: Option<Arc<TaskProgress>>,
}

/// Handle that cancels a task or a service.
enum TaskHandle {
    Task(JoinHandle<()>),
    /// Commands to the supervisor, which cancels the service.
    Service(CommandSender),
}

#[derive(Clone, Copy)]
pub(super) enum CancelReason {
    TimedOut,
    GivenUp,
}

impl RunningTask {
    /// Makes the running task of a hook.
    pub(super) fn of_hook(
        hook: &HookMeta,
        handle: JoinHandle<()>,
        is_on_thread: bool,
        progress: Arc<TaskProgress>,
        now: Instant,
        time: Deadline,
    ) -> Self {
        Self {
            is_on_thread,
            takes_stop: hook.takes_stop(),
            progress: Some(progress),
            ..Self::new(TaskHandle::Task(handle), now, time)
        }
    }

    /// Makes the running task that stands for a service, which these commands reach.
    pub(super) fn of_service(
        hook: &HookMeta,
        commands: CommandSender,
        now: Instant,
        time: Deadline,
    ) -> Self {
        Self {
            takes_stop: hook.takes_stop() || hook.takes_service_handle(),
            stop_timeout: hook.timeout,
            ..Self::new(TaskHandle::Service(commands), now, time)
        }
    }

    fn new(handle: TaskHandle, now: Instant, time: Deadline) -> Self {
        let Deadline { cancel_at, limit, abandon_at } = time;
        Self {
            began: now,
            // A moment that is past is no late timer.
            due: cancel_at.max(now),
            limit,
            abandon_at,
            handle,
            cancelled: None,
            is_on_thread: false,
            takes_stop: false,
            stop_timeout: None,
            progress: None,
        }
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.is_some()
    }

    /// Returns `true` if the hook can end by itself when it is told to, which it has not been.
    pub(super) fn may_end_itself(&self) -> bool {
        self.takes_stop && self.cancelled.is_none()
    }

    /// Cancels the task, which is abandoned at `give_up` if it does not end. A task that has run
    /// into its timeout before keeps the time that it has, or has less.
    pub(super) fn cancel(&mut self, reason: CancelReason, give_up: Instant) {
        self.abort();
        let was_cancelled = self.is_cancelled();
        let (first, at) = *self.cancelled.get_or_insert((reason, Instant::now()));
        // A thread that has gone on until now needs more than a moment.
        let due =
            if was_cancelled && self.is_on_thread { give_up } else { give_up.max(at + LAST_CALL) };
        if let (CancelReason::TimedOut, CancelReason::GivenUp) = (first, reason) {
            self.due = self.due.min(due);
            self.abandon_at = self.abandon_at.min(give_up);
            return;
        }
        self.due = due;
        if let CancelReason::GivenUp = reason {
            self.abandon_at = give_up;
        }
    }

    /// Puts off the moment at which the cancelled task is abandoned, by as much as that moment was
    /// noticed late, and returns it. Returns `None` if it was noticed in time, or no time is left.
    pub(super) fn postponed(&mut self, now: Instant) -> Option<Instant> {
        let lateness = now - self.due;
        let until = (now + lateness).min(self.abandon_at);
        if lateness < NOTICEABLE || until <= now {
            return None;
        }
        self.due = until;
        Some(until)
    }

    /// Cancels the task, and leaves the time that it has as it is.
    pub(super) fn abort(&self) {
        match &self.handle {
            TaskHandle::Task(handle) => handle.abort(),
            TaskHandle::Service(commands) => commands.cancel(),
        }
    }

    /// Ends the time of a service, as the stop is hurried. Other tasks keep theirs.
    pub(super) fn hurry_service(&mut self, now: Instant) {
        if let (TaskHandle::Service(_), None) = (&self.handle, self.cancelled) {
            self.due = now;
            self.limit = Limit::Hurry;
        }
    }

    /// Lets the task end by itself: in its timeout, and until `until` at the latest.
    pub(super) fn request_stop(&mut self, until: Instant) {
        let TaskHandle::Service(commands) = &self.handle else {
            if until < self.due {
                self.due = until;
                self.limit = Limit::Grace;
            }
            return;
        };
        let own = self.stop_timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        (self.due, self.limit) = match own {
            Some(own) if own <= until => (own, Limit::Timeout),
            _ => (until, Limit::Grace),
        };
        commands.stop(Some(self.due));
        // The expiry holds even if the service becomes ready and nobody waits for its end yet.
        commands.set_expiry(Some(Expiry { at: self.due, limit: self.limit }));
    }

    /// Returns the outcome of the task after it was cancelled. `ended` is set if it has ended, and
    /// not if it is abandoned.
    pub(super) fn outcome(&self, ended: bool) -> Outcome {
        let progress = self.progress.as_ref().map_or(TaskProgress::RUNS, |progress| progress.get());
        match (self.cancelled.map(|(reason, _)| reason), progress) {
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
