//! Gate for the exclusive hooks of a successor, which begin once its predecessor has ended.
#![cfg(unix)]

use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt};

use crate::engine::executor::StepGate;
use crate::plan::{Plan, Step};
use crate::process::upgrade::Predecessor;

/// Gate that holds exclusive hooks back. When nothing else is left to start, the predecessor is
/// told that this process is ready to take over.
pub(super) struct ExclusiveGate {
    plan: Arc<Plan>,
    predecessor: Arc<Predecessor>,
}

impl ExclusiveGate {
    pub(super) fn new(plan: &Arc<Plan>, predecessor: &Arc<Predecessor>) -> Self {
        Self { plan: Arc::clone(plan), predecessor: Arc::clone(predecessor) }
    }
}

impl StepGate for ExclusiveGate {
    fn permit(&self, _step: Step) -> BoxFuture<'static, ()> {
        let predecessor = Arc::clone(&self.predecessor);
        async move { predecessor.lets_go().await }.boxed()
    }

    fn holds_back(&self, step: Step) -> bool {
        let is_exclusive = |at: usize| self.plan.hooks()[at].is_exclusive;
        matches!(step, Step::Run(at) if is_exclusive(at)) && !self.predecessor.is_gone()
    }

    fn only_waits(&self) {
        self.predecessor.tell_ready();
    }
}
