//! From hooks to graphs: what each key and argument means as an edge.

use super::graph::{Graph, Step};
use super::of_kind;
use crate::hook::{HookMeta, Kind};
use crate::id::HookMap;

type Hooks<'a> = &'a [&'static HookMeta];
type Index = HookMap<usize>;

/// What one kind of hooks does: each hook behind those of its kind that it needs. What it needs of another kind is there
/// before.
pub(super) fn phase(kind: Kind, hooks: Hooks<'_>, index: &Index) -> Graph {
    let mut draft = Draft::new(hooks);
    of_kind(hooks, kind).for_each(|(at, _)| draft.add(Step::Run(at)));
    if kind == Kind::Shutdown {
        ends(hooks, index, &mut draft);
    }
    for (at, hook) in of_kind(hooks, kind) {
        for needed in hook.needs().filter(|needed| needed.kind == kind) {
            draft.edge(Step::Run(index[&needed.id]), Step::Run(at));
        }
        for later in hook.before().filter(|later| later.kind == kind) {
            draft.edge(Step::Run(at), Step::Run(index[&later.id]));
        }
    }
    draft.barriers(hooks, kind);
    draft.finish()
}

/// The end of every value: behind the shutdown hooks that use it, and before the end of what it was made of. The end of a
/// value is its teardown, if it has one, and then its drop.
fn ends(hooks: Hooks<'_>, index: &Index, draft: &mut Draft) {
    let mut teardowns = vec![None; hooks.len()];
    for (at, hook) in of_kind(hooks, Kind::Shutdown) {
        if let Some(resource) = hook.of() {
            teardowns[index[&resource.id]] = Some(at);
        }
    }
    of_kind(hooks, Kind::Startup).for_each(|(at, _)| draft.add(Step::Drop(at)));
    // What has to wait for everything that uses the value.
    let end = |resource: usize| teardowns[resource].map_or(Step::Drop(resource), Step::Run);

    for (at, hook) in of_kind(hooks, Kind::Startup) {
        if let Some(teardown) = teardowns[at] {
            draft.edge(Step::Run(teardown), Step::Drop(at));
        }
        for needed in hook.needs().filter(|needed| needed.kind == Kind::Startup) {
            draft.edge(Step::Drop(at), end(index[&needed.id]));
        }
    }
    for (at, hook) in of_kind(hooks, Kind::Shutdown) {
        let of_another = |needed: &&HookMeta| hook.of().is_none_or(|resource| resource != *needed);
        for used in hook.needs().filter(|needed| needed.kind == Kind::Startup).filter(of_another) {
            draft.edge(Step::Run(at), end(index[&used.id]));
        }
    }
}

/// A graph in the making: steps are found by what they are.
struct Draft {
    steps: Vec<Step>,
    /// Per hook, the number of its `Run` and of its `Drop`.
    runs: Vec<usize>,
    drops: Vec<usize>,
    /// By the numbers of the steps.
    edges: Vec<(usize, usize)>,
}

const ABSENT: usize = usize::MAX;

impl Draft {
    fn new(hooks: Hooks<'_>) -> Self {
        Self { steps: Vec::new(), runs: vec![ABSENT; hooks.len()], drops: vec![ABSENT; hooks.len()], edges: Vec::new() }
    }

    fn add(&mut self, step: Step) {
        let number = self.steps.len();
        match step {
            Step::Run(hook) => self.runs[hook] = number,
            Step::Drop(hook) => self.drops[hook] = number,
            Step::Barrier => {}
        }
        self.steps.push(step);
    }

    /// Between steps that have been added.
    fn edge(&mut self, from: Step, to: Step) {
        self.edges.push((self.number(from), self.number(to)));
    }

    fn number(&self, step: Step) -> usize {
        match step {
            Step::Run(hook) => self.runs[hook],
            Step::Drop(hook) => self.drops[hook],
            Step::Barrier => ABSENT,
        }
    }

    /// Between each two orders in use, a step that waits for all hooks of the lower and holds back all of the higher.
    fn barriers(&mut self, hooks: Hooks<'_>, kind: Kind) {
        let in_order: Vec<_> =
            of_kind(hooks, kind).filter_map(|(at, hook)| Some((hook.order()?, self.runs[at]))).collect();
        // Hooks are sorted by order.
        let orders: Vec<_> = in_order.chunk_by(|a, b| a.0 == b.0).collect();
        for pair in orders.windows(2) {
            let barrier = self.steps.len();
            self.add(Step::Barrier);
            self.edges.extend(pair[0].iter().map(|&(_, lower)| (lower, barrier)));
            self.edges.extend(pair[1].iter().map(|&(_, higher)| (barrier, higher)));
        }
    }

    fn finish(self) -> Graph {
        Graph::new(self.steps, &self.edges)
    }
}
