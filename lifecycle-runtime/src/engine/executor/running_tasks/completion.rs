//! Completions: the messages that tasks have ended.

use tokio::sync::mpsc::UnboundedSender;

use crate::engine::services::ServiceEnd;
use crate::event::Outcome;
use crate::hook::task::Value;

/// Message that a task has ended.
pub(super) struct Completion {
    pub(super) step: usize,
    pub(super) how: TaskEnd,
}

pub(super) enum TaskEnd {
    /// It ended by itself.
    Itself(Result<Value, Outcome>),
    /// It was cancelled.
    Cancelled,
    /// It was cancelled, did not end, and is not waited for any more.
    Abandoned,
}

impl From<ServiceEnd> for TaskEnd {
    fn from(end: ServiceEnd) -> Self {
        match end {
            ServiceEnd::Itself(result) => Self::Itself(result.map(|()| Value::new(()))),
            ServiceEnd::Cancelled => Self::Cancelled,
        }
    }
}

/// Guard that sends the completion of a task, even of a cancelled one: a cancelled task is dropped,
/// and this guard with it.
pub(super) struct CompletionGuard {
    sender: UnboundedSender<Completion>,
    step: usize,
    how: TaskEnd,
}

impl CompletionGuard {
    /// Makes the guard of a step's task. Unless the guard is given another end, the task was
    /// cancelled.
    pub(super) fn new(sender: UnboundedSender<Completion>, step: usize) -> Self {
        Self { sender, step, how: TaskEnd::Cancelled }
    }

    /// Sets the end that is sent.
    pub(super) fn set_end(&mut self, result: Result<Value, Outcome>) {
        self.how = TaskEnd::Itself(result);
    }
}

impl Drop for CompletionGuard {
    fn drop(&mut self) {
        let how = std::mem::replace(&mut self.how, TaskEnd::Cancelled);
        let _ = self.sender.send(Completion { step: self.step, how });
    }
}
