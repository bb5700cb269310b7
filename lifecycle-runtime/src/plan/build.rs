//! From hooks to graphs: what each key and argument means as an edge.

use std::collections::{BTreeMap, HashMap};

use super::graph::{Graph, Step};
use crate::hook::{HookMeta, Kind};
use crate::id::HookMap;

type Hooks<'a> = &'a [&'static HookMeta];
type Index = HookMap<usize>;

/// Startup hooks, each behind what it needs.
pub(super) fn start(hooks: Hooks<'_>, index: &Index) -> Graph {
    let mut draft = Draft::new(hooks);
    for (at, hook) in of_kind(hooks, Kind::Startup) {
        draft.run(at);
        for needed in hook.needs() {
            draft.edge(Step::Run(index[&needed.id]), Step::Run(at));
        }
    }
    draft.barriers(hooks, Kind::Startup);
    draft.finish()
}

/// Shutdown hooks, each before the end of what it uses; and the end of every value, before the end of what it was made
/// of. The end of a value is its teardown, if it has one, and then its drop.
pub(super) fn stop(hooks: Hooks<'_>, index: &Index) -> Graph {
    let mut draft = Draft::new(hooks);
    let mut teardowns = HashMap::new();
    for (at, hook) in of_kind(hooks, Kind::Shutdown) {
        draft.run(at);
        if let Some(resource) = hook.of() {
            teardowns.insert(index[&resource.id], at);
        }
    }
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
        for needed in hook.needs().filter(|needed| hook.of().is_none_or(|resource| resource != *needed)) {
            match needed.kind {
                Kind::Startup => draft.edge(Step::Run(at), end(index[&needed.id])),
                Kind::Shutdown => draft.edge(Step::Run(index[&needed.id]), Step::Run(at)),
            }
        }
        for later in hook.before() {
            draft.edge(Step::Run(at), Step::Run(index[&later.id]));
        }
    }
    draft.barriers(hooks, Kind::Shutdown);
    draft.finish()
}

fn of_kind(hooks: Hooks<'_>, kind: Kind) -> impl Iterator<Item = (usize, &'static HookMeta)> {
    hooks.iter().copied().enumerate().filter(move |(_, hook)| hook.kind == kind)
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

    fn run(&mut self, hook: usize) {
        self.add(Step::Run(hook));
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
