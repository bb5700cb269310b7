//! Futures that wait for permits.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::future::FutureExt;

use super::{Action, InjectedFault, Scheduler};
use crate::hook::task::{Task, TaskResult};
use crate::testing::clock;

/// Permit for an action, which resolves once the scheduler has given it. Dropping it takes the
/// request back.
pub(super) struct Permit {
    pub(super) scheduler: Scheduler,
    pub(super) action: Action,
}

impl Future for Permit {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        match self.scheduler.state().waiting.get_mut(&self.action) {
            Some(waiting) if !waiting.has_permit => {
                waiting.waker = Some(context.waker().clone());
                Poll::Pending
            }
            _ => Poll::Ready(()),
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.scheduler.state().waiting.remove(&self.action);
    }
}

/// Future of a hook that is polled only with a permit.
pub(super) struct ScheduledFuture {
    pub(super) future: Pin<Box<dyn Future<Output = TaskResult> + Send>>,
    pub(super) scheduler: Scheduler,
    pub(super) at: usize,
    pub(super) is_of_a_phase: bool,
    /// Set if the next poll belongs to the permit to begin.
    pub(super) may_go_on: bool,
    pub(super) permit: Option<Permit>,
    /// Set if an injected fault makes the hook hang.
    pub(super) hangs: bool,
}

impl Future for ScheduledFuture {
    type Output = TaskResult;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<TaskResult> {
        let this = &mut *self;
        if this.hangs {
            return Poll::Pending;
        }
        // While time stands still for something real, nobody can find out that nothing runs, so the
        // hook goes on without a permit.
        if !std::mem::take(&mut this.may_go_on) && !clock::stands_still() {
            let permit = this.permit.get_or_insert_with(|| this.scheduler.ask_to_go_on(this.at));
            ready!(permit.poll_unpin(context));
            if let Some(fault) = this.scheduler.fault_at(this.at) {
                this.permit = None;
                return this.injected_at(fault, context);
            }
        }
        this.permit = None;
        let end = this.future.as_mut().poll(context);
        if end.is_pending() && this.is_of_a_phase {
            this.scheduler.state().pending.insert(this.at, false);
        }
        end
    }
}

impl ScheduledFuture {
    /// Applies a fault instead of going on. Values that the hook holds are treated as with a fault
    /// of a test.
    fn injected_at(&mut self, fault: InjectedFault, context: &mut Context<'_>) -> Poll<TaskResult> {
        self.hangs = fault == InjectedFault::Hang;
        if self.hangs {
            return Poll::Pending;
        }
        let nothing = Box::pin(std::future::pending());
        drop(std::mem::replace(&mut self.future, nothing));
        match fault.fault().apply(Task::future(std::future::pending())) {
            Task::Future(mut wrong) => wrong.as_mut().poll(context),
            Task::Blocking(_) | Task::Delayed(..) => Poll::Pending,
        }
    }
}

impl Drop for ScheduledFuture {
    fn drop(&mut self) {
        self.scheduler.state().pending.remove(&self.at);
    }
}
