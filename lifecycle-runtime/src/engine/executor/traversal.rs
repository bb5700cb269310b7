//! Traversal of a phase's graph, and its critical path: the chain of steps that determined how long
//! the phase took.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::FuturesUnordered;

use crate::hook::HookMeta;
use crate::plan::{Graph, Step, Walk};

/// Hooks that a phase's duration is made of, each with the time that it took.
pub(crate) type CriticalPath = Vec<(&'static HookMeta, Duration)>;

/// Gate that decides when a step that waits for nothing may begin. Without a gate a step begins at
/// once.
pub(crate) trait StepGate: Send + Sync {
    /// Returns a future that waits for the permit of a step. To drop it is to give up the wait.
    fn permit(&self, step: Step) -> BoxFuture<'static, ()>;

    /// Returns whether a step needs a permit at all.
    fn holds_back(&self, _step: Step) -> bool {
        true
    }

    /// Takes note that nothing runs, and all that is left of a phase waits for permits. Is called
    /// any number of times.
    fn only_waits(&self) {}
}

/// Traversal of a phase's graph, with the time that each step took.
pub(super) struct Traversal<'g> {
    graph: &'g Graph,
    walk: Walk<'g>,
    took: Vec<Duration>,
    gated: Option<GatedSteps>,
}

/// Steps that wait for nothing but the gate.
struct GatedSteps {
    gate: Arc<dyn StepGate>,
    waiting: FuturesUnordered<BoxFuture<'static, usize>>,
    granted: Option<usize>,
}

impl<'g> Traversal<'g> {
    pub(super) fn through(graph: &'g Graph, gate: Option<&Arc<dyn StepGate>>) -> Self {
        let gated = |gate: &Arc<_>| GatedSteps {
            gate: Arc::clone(gate),
            waiting: FuturesUnordered::new(),
            granted: None,
        };
        Self {
            graph,
            walk: graph.walk(),
            took: vec![Duration::ZERO; graph.steps().len()],
            gated: gate.map(gated),
        }
    }

    /// Returns a step that may begin: one that waits for no other step and, if there is a gate, has
    /// its permit or does nothing.
    pub(super) fn next(&mut self, does_something: impl Fn(Step) -> bool) -> Option<usize> {
        let Some(GatedSteps { gate, waiting, granted }) = &mut self.gated else {
            return self.walk.next();
        };
        if granted.is_some() {
            return granted.take();
        }
        while let Some(step) = self.walk.next() {
            let what = self.graph.steps()[step];
            if !does_something(what) || !gate.holds_back(what) {
                return Some(step);
            }
            waiting.push(gate.permit(what).map(move |()| step).boxed());
        }
        None
    }

    /// Returns `true` if steps wait for their permit.
    pub(super) fn waits(&self) -> bool {
        self.gated.as_ref().is_some_and(|gated| !gated.waiting.is_empty())
    }

    /// Tells the gate that nothing runs and some steps wait for their permit.
    pub(super) fn only_waits(&self) {
        if let Some(gated) = &self.gated {
            gated.gate.only_waits();
        }
    }

    /// Waits until one of these steps has its permit. Waits forever if there is none.
    ///
    /// This is cancel safe.
    pub(super) async fn permitted(&mut self) {
        match &mut self.gated {
            Some(GatedSteps { waiting, granted, .. }) if !waiting.is_empty() => {
                *granted = waiting.next().await;
            }
            _ => pending().await,
        }
    }

    /// Notes that a step has ended after this time: steps that waited only for it may begin.
    pub(super) fn ended(&mut self, step: usize, took: Duration) {
        self.took[step] = took;
        self.walk.finish(step);
    }

    /// Notes that a step has ended at once.
    pub(super) fn passed(&mut self, step: usize) {
        self.walk.finish(step);
    }

    /// Returns the step that a step had to wait for longest, then the step that this one had to
    /// wait for longest, and so on.
    pub(super) fn awaited_by(&self, step: usize) -> impl Iterator<Item = usize> {
        self.walk.awaited_by(step)
    }

    pub(super) fn critical_path(&self, hooks: &[&'static HookMeta]) -> CriticalPath {
        let hook = |step: usize| match self.graph.steps()[step] {
            Step::Run(hook) | Step::Stop(hook) if self.took[step] > Duration::ZERO => {
                Some((hooks[hook], self.took[step]))
            }
            _ => None,
        };
        let mut path: CriticalPath = self.walk.longest_wait().filter_map(hook).collect();
        path.reverse();
        path
    }
}
