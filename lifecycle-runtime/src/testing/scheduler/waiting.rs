//! Who waits for a turn.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::future::FutureExt;

use super::{Action, Blow, Turns};
use crate::hook::task::{Task, TaskResult};
use crate::testing::clock;

/// Somebody waits for a turn, until this is dropped.
pub(super) struct Turn {
    pub(super) turns: Turns,
    pub(super) action: Action,
}

impl Future for Turn {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        match self.turns.state().waiting.get_mut(&self.action) {
            Some(waiting) if !waiting.has_turn => {
                waiting.waker = Some(context.waker().clone());
                Poll::Pending
            }
            _ => Poll::Ready(()),
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.turns.state().waiting.remove(&self.action);
    }
}

/// A hook's future that is polled only when it is its turn.
pub(super) struct Paced {
    pub(super) future: Pin<Box<dyn Future<Output = TaskResult> + Send>>,
    pub(super) turns: Turns,
    pub(super) at: usize,
    pub(super) is_of_a_phase: bool,
    /// It has had its turn, to begin.
    pub(super) may_go_on: bool,
    pub(super) turn: Option<Turn>,
    /// Set if it went on, and hangs.
    pub(super) hangs: bool,
}

impl Future for Paced {
    type Output = TaskResult;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<TaskResult> {
        let this = &mut *self;
        if this.hangs {
            return Poll::Pending;
        }
        // Where time stands still for something real, nobody can find out that nothing runs.
        if !std::mem::take(&mut this.may_go_on) && !clock::stands_still() {
            let turn = this.turn.get_or_insert_with(|| this.turns.ask_to_go_on(this.at));
            ready!(turn.poll_unpin(context));
            if let Some(blow) = this.turns.strikes(this.at) {
                this.turn = None;
                return this.struck(blow, context);
            }
        }
        this.turn = None;
        let end = this.future.as_mut().poll(context);
        if end.is_pending() && this.is_of_a_phase {
            this.turns.state().pending.insert(this.at, false);
        }
        end
    }
}

impl Paced {
    /// Goes wrong in place of going on. What the hook holds goes as with a fault of a test.
    fn struck(&mut self, blow: Blow, context: &mut Context<'_>) -> Poll<TaskResult> {
        self.hangs = blow == Blow::Hang;
        if self.hangs {
            return Poll::Pending;
        }
        let nothing = Box::pin(std::future::pending());
        drop(std::mem::replace(&mut self.future, nothing));
        match blow.fault().befalls(Task::future(std::future::pending())) {
            Task::Future(mut wrong) => wrong.as_mut().poll(context),
            Task::Blocking(_) => Poll::Pending,
        }
    }
}

impl Drop for Paced {
    fn drop(&mut self) {
        self.turns.state().pending.remove(&self.at);
    }
}
