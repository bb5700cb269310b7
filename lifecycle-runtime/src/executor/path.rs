//! The critical path: the chain of steps that a phase could not be faster than.

use std::time::Duration;

use crate::hook::HookMeta;
use crate::plan::{Graph, Step};

/// The hooks that a phase's duration is made of, each with how long it took.
pub(crate) type CriticalPath = Vec<(&'static HookMeta, Duration)>;

/// When each step of a phase ended: as its place in the sequence of ends.
pub(super) struct Times {
    ends: Vec<Option<(usize, Duration)>>,
    count: usize,
}

impl Times {
    pub(super) fn new(graph: &Graph) -> Self {
        Self { ends: vec![None; graph.steps().len()], count: 0 }
    }

    pub(super) fn ended(&mut self, step: usize, took: Duration) {
        self.ends[step] = Some((self.count, took));
        self.count += 1;
    }

    /// From the step that ended last, back through the one that each had to wait for longest.
    pub(super) fn critical_path(&self, hooks: &[&'static HookMeta], graph: &Graph) -> CriticalPath {
        let back = graph.reversed();
        let place = |step: &usize| self.ends[*step].map(|(place, _)| place);
        let last = (0..self.ends.len()).max_by_key(place);
        let steps = std::iter::successors(last, |&step| back.successors(step).max_by_key(place));
        let mut path: CriticalPath = steps
            .filter_map(|step| match (graph.steps()[step], self.ends[step]) {
                (Step::Run(hook), Some((_, took))) if took > Duration::ZERO => Some((hooks[hook], took)),
                _ => None,
            })
            .collect();
        path.reverse();
        path
    }
}
