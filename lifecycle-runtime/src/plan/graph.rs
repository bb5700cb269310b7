//! Graphs of steps, by which each step waits for others.

use std::collections::VecDeque;

/// Node of a graph: one thing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Run this hook.
    Run(usize),
    /// Tell this service to stop, and wait for its end.
    Stop(usize),
    /// Drop the value of this hook.
    Drop(usize),
    /// Do nothing. The step stands for all steps that it is behind, which keeps the number of edges
    /// linear.
    Barrier(Behind),
}

/// Steps that a barrier is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behind {
    /// The hooks of lower orders.
    Orders,
    /// The ends of services.
    Services,
}

/// A graph of steps. Successors lie in one array, cut at `offsets`.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    steps: Vec<Step>,
    offsets: Vec<u32>,
    successors: Vec<u32>,
    /// Number of the edges that lead to each step.
    incoming: Vec<u32>,
    sequence: Vec<u32>,
}

impl Graph {
    pub(crate) fn new(steps: Vec<Step>, edges: &[(usize, usize)]) -> Self {
        let mut offsets = vec![0; steps.len() + 1];
        let mut incoming = vec![0; steps.len()];
        for &(from, to) in edges {
            offsets[from + 1] += 1;
            incoming[to] += 1;
        }
        for at in 1..offsets.len() {
            offsets[at] += offsets[at - 1];
        }
        let mut next = offsets.clone();
        let mut successors = vec![0; edges.len()];
        for &(from, to) in edges {
            successors[next[from] as usize] = number(to);
            next[from] += 1;
        }
        let mut graph = Self { steps, offsets, successors, incoming, sequence: Vec::new() };
        graph.sequence = graph.in_sequence();
        graph
    }

    pub(crate) fn steps(&self) -> &[Step] {
        &self.steps
    }

    pub(crate) fn successors(&self, step: usize) -> impl Iterator<Item = usize> {
        let range = self.offsets[step] as usize..self.offsets[step + 1] as usize;
        self.successors[range].iter().map(|&step| step as usize)
    }

    /// Returns, per step, whether there is a way to it from any of these steps. They are reachable
    /// themselves.
    pub(crate) fn reachable(&self, from: impl IntoIterator<Item = usize>) -> Vec<bool> {
        let mut open: Vec<_> = from.into_iter().collect();
        let mut found = vec![false; self.steps.len()];
        while let Some(step) = open.pop() {
            if !std::mem::replace(&mut found[step], true) {
                open.extend(self.successors(step));
            }
        }
        found
    }

    /// Begins a walk through the graph, which gives the steps that are free to begin and is told of
    /// those that have ended.
    pub(crate) fn walk(&self) -> Walk<'_> {
        let free = (0..self.steps.len()).filter(|&step| self.incoming[step] == 0).collect();
        Walk {
            graph: self,
            waits_for: self.incoming.clone(),
            free,
            freed_by: vec![None; self.steps.len()],
            last: None,
        }
    }

    /// Returns all steps, each behind those that it waits for. Steps of a cycle are missing.
    pub(crate) fn sequence(&self) -> impl DoubleEndedIterator<Item = usize> {
        self.sequence.iter().map(|&step| step as usize)
    }

    fn in_sequence(&self) -> Vec<u32> {
        let mut walk = self.walk();
        let mut sequence = Vec::with_capacity(self.steps.len());
        while let Some(step) = walk.next() {
            sequence.push(number(step));
            walk.finish(step);
        }
        sequence
    }

    /// Returns the same steps with every edge turned around.
    pub(crate) fn reversed(&self) -> Self {
        let steps = 0..self.steps.len();
        let edges: Vec<_> =
            steps.flat_map(|from| self.successors(from).map(move |to| (to, from))).collect();
        Self::new(self.steps.clone(), &edges)
    }

    /// Returns cycles, each as the steps along it. No two have a step in common.
    pub(crate) fn cycles(&self) -> Vec<Vec<usize>> {
        if self.sequence.len() == self.steps.len() {
            return Vec::new();
        }
        let back = self.reversed();
        let mut open = vec![true; self.steps.len()];
        self.sequence().for_each(|step| open[step] = false);
        // A step is open because it waits for another open one: following these leads round and
        // round.
        let awaited = |step: usize| back.successors(step).find(|&other| open[other]);

        let mut cycles = Vec::new();
        let mut walk_through = vec![None; self.steps.len()];
        for from in (0..self.steps.len()).filter(|&step| open[step]) {
            let mut at = from;
            while walk_through[at].is_none() {
                walk_through[at] = Some(from);
                at = awaited(at).unwrap_or(at);
            }
            if walk_through[at] == Some(from) {
                let mut cycle: Vec<_> = std::iter::successors(Some(at), |&step| {
                    awaited(step).filter(|&next| next != at)
                })
                .collect();
                cycle.reverse();
                cycles.push(cycle);
            }
        }
        cycles
    }
}

/// Returns the number of a step as a graph keeps it, in half of the memory.
#[allow(clippy::cast_possible_truncation, reason = "a program has fewer than four billion hooks")]
fn number(step: usize) -> u32 {
    step as u32
}

/// Walk through a graph, from the steps that wait for nothing to the last.
#[derive(Debug)]
pub(crate) struct Walk<'g> {
    graph: &'g Graph,
    waits_for: Vec<u32>,
    free: VecDeque<usize>,
    /// Step that each step waited for longest.
    freed_by: Vec<Option<u32>>,
    last: Option<usize>,
}

impl Walk<'_> {
    /// Returns a step that waits for nothing any more, each once. Among those that became free
    /// together, the lowest comes first.
    pub(crate) fn next(&mut self) -> Option<usize> {
        self.free.pop_front()
    }

    /// Notes that a step has ended, and frees the steps that waited only for it.
    pub(crate) fn finish(&mut self, step: usize) {
        self.last = Some(step);
        for next in self.graph.successors(step) {
            self.waits_for[next] -= 1;
            if self.waits_for[next] == 0 {
                self.freed_by[next] = Some(number(step));
                self.free.push_back(next);
            }
        }
    }

    /// Returns the step that ended last, then the step that it had to wait for longest, and so on.
    pub(crate) fn longest_wait(&self) -> impl Iterator<Item = usize> {
        self.last.into_iter().chain(self.last.into_iter().flat_map(|last| self.awaited_by(last)))
    }

    /// Returns the step that a step had to wait for longest, then the step that this one had to
    /// wait for longest, and so on.
    pub(crate) fn awaited_by(&self, step: usize) -> impl Iterator<Item = usize> {
        let awaited = |step: usize| self.freed_by[step].map(|step| step as usize);
        std::iter::successors(awaited(step), move |&step| awaited(step))
    }
}
