//! Polls of the tasks on the hooks' runtime: whether any is in progress, and which tasks block a
//! thread.

use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use slab::Slab;
use tokio::sync::Notify;

use crate::hook::HookMeta;

/// Owner of a task on the hooks' runtime, who is named if the task blocks its thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TaskOwner {
    /// A hook or a service, or a task that a service has spawned.
    Hook(&'static HookMeta),
    /// A request handler, by the key of the task among all tasks of handlers.
    Handler(usize),
    /// Nobody who has a name.
    Unknown,
}

/// Polls in progress: calls of `poll` that have not returned.
#[derive(Default)]
pub(super) struct PollsInProgress {
    count: AtomicUsize,
    /// Set while somebody looks at the count from time to time.
    is_watched: AtomicBool,
    /// Notification that a poll has begun while nobody looked.
    pub(super) begun: Notify,
    tasks: Mutex<Slab<Arc<TaskPolls>>>,
}

/// Task whose polls are counted.
struct TaskPolls {
    owner: TaskOwner,
    is_in_poll: AtomicBool,
}

/// Entry of a task whose polls are counted, until this is dropped.
pub(super) struct CountedTask {
    polls: Arc<PollsInProgress>,
    task: Arc<TaskPolls>,
    key: usize,
}

/// Guard of a poll, which is in progress until this is dropped.
pub(super) struct PollInProgress<'t>(&'t CountedTask);

impl PollsInProgress {
    /// Enters a task.
    pub(super) fn enter(self: &Arc<Self>, owner: TaskOwner) -> CountedTask {
        let task = Arc::new(TaskPolls { owner, is_in_poll: AtomicBool::new(false) });
        let key = self.tasks().insert(Arc::clone(&task));
        CountedTask { polls: Arc::clone(self), task, key }
    }

    /// Returns whether any poll is in progress. If none is, the next one notifies those who look.
    pub(super) fn are_in_progress(&self) -> bool {
        if self.count.load(SeqCst) > 0 {
            return true;
        }
        self.is_watched.store(false, SeqCst);
        // A poll that has begun in between has notified nobody, as it relied on being seen.
        self.count.load(SeqCst) > 0 && !self.is_watched.swap(true, SeqCst)
    }

    /// Returns the owners of the tasks that are in a poll.
    pub(super) fn owners(&self) -> Vec<TaskOwner> {
        let tasks = self.tasks();
        let polled = tasks.iter().filter(|(_, task)| task.is_in_poll.load(Relaxed));
        polled.map(|(_, task)| task.owner).collect()
    }

    fn tasks(&self) -> MutexGuard<'_, Slab<Arc<TaskPolls>>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CountedTask {
    /// Begins a poll of the task.
    pub(super) fn begin(&self) -> PollInProgress<'_> {
        self.task.is_in_poll.store(true, Relaxed);
        self.polls.count.fetch_add(1, SeqCst);
        if !self.polls.is_watched.load(SeqCst) && !self.polls.is_watched.swap(true, SeqCst) {
            self.polls.begun.notify_one();
        }
        PollInProgress(self)
    }
}

impl Drop for PollInProgress<'_> {
    fn drop(&mut self) {
        self.0.task.is_in_poll.store(false, Relaxed);
        self.0.polls.count.fetch_sub(1, SeqCst);
    }
}

impl Drop for CountedTask {
    fn drop(&mut self) {
        self.polls.tasks().remove(self.key);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::FutureExt;

    use super::*;

    #[test]
    fn a_poll_that_begins_while_nobody_looks_says_so() {
        let polls = Arc::<PollsInProgress>::default();
        let (task, other) = (polls.enter(TaskOwner::Unknown), polls.enter(TaskOwner::Unknown));
        assert!(!polls.are_in_progress());
        for _ in 0..2 {
            let poll = task.begin();
            assert!(polls.begun.notified().now_or_never().is_some());
            assert!(polls.are_in_progress());
            drop(other.begin());
            assert!(polls.begun.notified().now_or_never().is_none(), "it is watched");
            drop(poll);
            assert!(!polls.are_in_progress());
        }
    }

    #[test]
    fn the_owners_of_tasks_in_a_poll_are_known() {
        let polls = Arc::<PollsInProgress>::default();
        let (first, second) =
            (polls.enter(TaskOwner::Handler(1)), polls.enter(TaskOwner::Handler(2)));
        assert!(polls.owners().is_empty());
        let poll = first.begin();
        drop(second.begin());
        assert_eq!(polls.owners(), [TaskOwner::Handler(1)]);
        drop(poll);
        drop(first);
        let _poll = second.begin();
        assert_eq!(polls.owners(), [TaskOwner::Handler(2)]);
    }
}
