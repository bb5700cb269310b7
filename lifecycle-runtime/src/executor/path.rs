//! The critical path: the chain of steps that a phase could not be faster than.

use std::time::Duration;

use crate::hook::HookMeta;
use crate::plan::{Graph, Step, Walk};

/// The hooks that a phase's duration is made of, each with how long it took.
pub(crate) type CriticalPath = Vec<(&'static HookMeta, Duration)>;

/// The way that a phase takes through its graph, and how long each step took.
pub(super) struct Way<'g> {
    graph: &'g Graph,
    walk: Walk<'g>,
    took: Vec<Duration>,
}

impl<'g> Way<'g> {
    pub(super) fn through(graph: &'g Graph) -> Self {
        Self { graph, walk: graph.walk(), took: vec![Duration::ZERO; graph.steps().len()] }
    }

    /// A step that waits for nothing any more.
    pub(super) fn next(&mut self) -> Option<usize> {
        self.walk.next()
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
