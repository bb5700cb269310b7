//! From hooks to graphs: what each key and argument means as an edge.

use std::collections::{BTreeMap, HashMap};

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
    for (at, _) in of_kind(hooks, kind) {
        draft.add(Step::Run(at));
    }
    if kind == Kind::Shutdown {
        ends(hooks, index, &mut draft);
    }
    for (at, hook) in of_kind(hooks, kind) {
        for needed in hook.needs().filter(|needed| needed.kind == kind) {
            draft.edge(Step::Run(index[&needed.id]), Step::Run(at));
        }
        for later in hook.before() {
            draft.edge(Step::Run(at), Step::Run(index[&later.id]));
        }
    }
    draft.barriers(hooks, kind);
    draft.finish()
}

/// The end of every value: behind the shutdown hooks that use it, and before the end of what it was made of. The end of a
/// value is its teardown, if it has one, and then its drop.
fn ends(hooks: Hooks<'_>, index: &Index, draft: &mut Draft) {
    let torn_down = |(at, hook): (usize, &'static HookMeta)| hook.of().map(|resource| (index[&resource.id], at));
    let teardowns: HashMap<_, _> = of_kind(hooks, Kind::Shutdown).filter_map(torn_down).collect();
    // What has to wait for everything that uses the value.
    let end = |resource: usize| teardowns.get(&resource).map_or(Step::Drop(resource), |&teardown| Step::Run(teardown));

    for (at, hook) in of_kind(hooks, Kind::Startup) {
        draft.add(Step::Drop(at));
        if let Some(&teardown) = teardowns.get(&at) {
            draft.edge(Step::Run(teardown), Step::Drop(at));
        }
        for needed in hook.needs() {
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
    edges: Vec<(Step, Step)>,
    /// Edges to and from barriers, by number: barriers have no name.
    numbered: Vec<(usize, usize)>,
}

const ABSENT: usize = usize::MAX;

impl Draft {
    fn new(hooks: Hooks<'_>) -> Self {
        Self {
            steps: Vec::new(),
            runs: vec![ABSENT; hooks.len()],
            drops: vec![ABSENT; hooks.len()],
            edges: Vec::new(),
            numbered: Vec::new(),
        }
    }

    fn add(&mut self, step: Step) -> usize {
        let number = self.steps.len();
        match step {
            Step::Run(hook) => self.runs[hook] = number,
            Step::Drop(hook) => self.drops[hook] = number,
            Step::Barrier => {}
        }
        self.steps.push(step);
        number
    }

    fn edge(&mut self, from: Step, to: Step) {
        self.edges.push((from, to));
    }

    /// Between each two orders in use, a step that waits for all hooks of the lower and holds back all of the higher.
    fn barriers(&mut self, hooks: Hooks<'_>, kind: Kind) {
        let mut orders: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (at, hook) in of_kind(hooks, kind) {
            if let Some(order) = hook.order() {
                orders.entry(order).or_default().push(self.runs[at]);
            }
        }
        let groups: Vec<_> = orders.into_values().collect();
        for pair in groups.windows(2) {
            let barrier = self.add(Step::Barrier);
            self.numbered.extend(pair[0].iter().map(|&lower| (lower, barrier)));
            self.numbered.extend(pair[1].iter().map(|&higher| (barrier, higher)));
        }
    }

    fn finish(self) -> Graph {
        let number = |step: Step| match step {
            Step::Run(hook) => self.runs[hook],
            Step::Drop(hook) => self.drops[hook],
            Step::Barrier => ABSENT,
        };
        let mut edges: Vec<_> = self.edges.iter().map(|&(from, to)| (number(from), number(to))).collect();
        edges.extend(&self.numbered);
        Graph::new(self.steps, &edges)
    }
}
