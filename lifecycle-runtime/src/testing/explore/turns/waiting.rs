//! Who waits for a turn.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::future::FutureExt;

use super::{Action, Turns};
use crate::task::TaskResult;
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
}

impl Future for Paced {
    type Output = TaskResult;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<TaskResult> {
        let this = &mut *self;
        // Where time stands still for something real, nobody can find out that nothing runs.
        if !std::mem::take(&mut this.may_go_on) && !clock::stands_still() {
            let turn = this.turn.get_or_insert_with(|| this.turns.ask_to_go_on(this.at));
            ready!(turn.poll_unpin(context));
        }
        this.turn = None;
        let end = this.future.as_mut().poll(context);
        if end.is_pending() && this.is_of_a_phase {
            this.turns.state().pending.insert(this.at, false);
        }
        end
    }
}

impl Drop for Paced {
    fn drop(&mut self) {
        self.turns.state().pending.remove(&self.at);
    }
}
