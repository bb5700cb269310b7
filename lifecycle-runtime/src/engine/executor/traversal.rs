//! The way that a phase takes through its graph, and the critical path: the chain of steps that it
//! could not be faster than.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::FuturesUnordered;

use crate::hook::HookMeta;
use crate::plan::{Graph, Step, Walk};

/// The hooks that a phase's duration is made of, each with how long it took.
pub(crate) type CriticalPath = Vec<(&'static HookMeta, Duration)>;

/// Says when a step that waits for nothing may begin. Without one, it does at once.
pub(crate) trait StepGate: Send + Sync {
    /// Waits for the turn of a step. Who drops this waits no longer.
    fn permit(&self, step: Step) -> BoxFuture<'static, ()>;
}

/// The way that a phase takes through its graph, and how long each step took.
pub(super) struct Traversal<'g> {
    graph: &'g Graph,
    walk: Walk<'g>,
    took: Vec<Duration>,
    gated: Option<GatedSteps>,
}

/// Steps that could begin, but for the pace.
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

    /// A step that waits for nothing any more. At a pace, one that has its turn, or that does
    /// nothing.
    pub(super) fn next(&mut self, does_something: impl Fn(Step) -> bool) -> Option<usize> {
        let Some(GatedSteps { gate, waiting, granted }) = &mut self.gated else {
            return self.walk.next();
        };
        if granted.is_some() {
            return granted.take();
        }
        while let Some(step) = self.walk.next() {
            let what = self.graph.steps()[step];
            if !does_something(what) {
                return Some(step);
            }
            waiting.push(gate.permit(what).map(move |()| step).boxed());
        }
        None
    }

    /// Returns whether steps wait for their turn.
    pub(super) fn waits(&self) -> bool {
        self.gated.as_ref().is_some_and(|gated| !gated.waiting.is_empty())
    }

    /// Waits until one of them has it. Forever, if none waits.
    ///
    /// Cancel safe.
    pub(super) async fn permitted(&mut self) {
        match &mut self.gated {
            Some(GatedSteps { waiting, granted, .. }) if !waiting.is_empty() => {
                *granted = waiting.next().await;
            }
            _ => pending().await,
        }
    }

    /// A step that took its time has ended: what waited only for it is free.
    pub(super) fn ended(&mut self, step: usize, took: Duration) {
        self.took[step] = took;
        self.walk.finish(step);
    }

    /// A step that takes no time.
    pub(super) fn passed(&mut self, step: usize) {
        self.walk.finish(step);
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
