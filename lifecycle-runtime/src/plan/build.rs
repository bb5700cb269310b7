//! Construction of graphs from hooks: each key and argument becomes an edge.

use super::graph::{Behind, Graph, Step};
use super::{Hooks, of_kind};
use crate::hook::id::HookMap;
use crate::hook::{HookMeta, Kind, Phase};

type Index = HookMap<usize>;

/// Builds the graph of a phase, in which each hook is behind what it needs of this phase. What it
/// needs of another phase is there before.
pub(super) fn phase(phase: Phase, hooks: Hooks<'_>, index: &Index) -> Graph {
    let mut draft = Draft::new(hooks);
    let is_in = |kind: Kind| kind.phase() == Some(phase);
    if phase == Phase::Shutdown {
        of_kind(hooks, Kind::Service).for_each(|(at, _)| draft.add(Step::Stop(at)));
        draft.runs(hooks, is_in);
        ends(hooks, index, &mut draft);
    } else {
        draft.runs(hooks, is_in);
    }
    draft.needs(hooks, index, is_in);
    Kind::ALL.into_iter().filter(|kind| is_in(*kind)).for_each(|kind| draft.orders(hooks, kind));
    if phase == Phase::Shutdown {
        draft.services(hooks);
    }
    draft.finish()
}

/// Builds the graph of a kind that recurs, in which each hook is behind what it needs of its kind.
pub(super) fn recurring(kind: Kind, hooks: Hooks<'_>, index: &Index) -> Graph {
    let mut draft = Draft::new(hooks);
    draft.runs(hooks, |other| other == kind);
    draft.needs(hooks, index, |other| other == kind);
    draft.finish()
}

/// Adds the drops of values, and the edges of the ends of values and services. Each end is behind
/// what uses the value or service, and before the end of what that was made of. The end of a value
/// is its teardown, if it has one, and then its drop.
fn ends(hooks: Hooks<'_>, index: &Index, draft: &mut Draft) {
    let mut teardowns = vec![None; hooks.len()];
    for (at, hook) in of_kind(hooks, Kind::Shutdown) {
        if let Some(resource) = hook.of() {
            teardowns[index[&resource.id]] = Some(at);
        }
    }
    of_kind(hooks, Kind::Startup).for_each(|(at, _)| draft.add(Step::Drop(at)));
    // The step that has to wait for everything that uses the hook.
    let end = |used: &HookMeta| match (index[&used.id], used.kind) {
        (at, Kind::Service) => Step::Stop(at),
        (at, _) => teardowns[at].map_or(Step::Drop(at), Step::Run),
    };

    for (at, hook) in of_kind(hooks, Kind::Startup) {
        if let Some(teardown) = teardowns[at] {
            draft.edge(Step::Run(teardown), Step::Drop(at));
        }
        hook.needs().for_each(|needed| draft.edge(Step::Drop(at), end(needed)));
    }
    for (at, service) in of_kind(hooks, Kind::Service) {
        service.needs().for_each(|needed| draft.edge(Step::Stop(at), end(needed)));
    }
    for (at, hook) in of_kind(hooks, Kind::Shutdown) {
        let of_another = |needed: &&HookMeta| hook.of().is_none_or(|resource| resource != *needed);
        for used in hook.needs().filter(of_another) {
            match used.kind {
                Kind::Startup => draft.edge(Step::Run(at), end(used)),
                // A service has no value to use: a hook that comes after it comes after its end.
                Kind::Service => draft.edge(end(used), Step::Run(at)),
                _ => {}
            }
        }
        for service in hook.before().filter(|later| later.kind == Kind::Service) {
            draft.edge(Step::Run(at), end(service));
        }
    }
}

/// Graph in the making, in which steps are found by their hooks.
struct Draft {
    steps: Vec<Step>,
    /// Number of the `Run` or `Stop` of each hook. `drops` has that of its `Drop`.
    runs: Vec<usize>,
    drops: Vec<usize>,
    /// Edges, by the numbers of their steps.
    edges: Vec<(usize, usize)>,
}

const ABSENT: usize = usize::MAX;

impl Draft {
    fn new(hooks: Hooks<'_>) -> Self {
        Self {
            steps: Vec::new(),
            runs: vec![ABSENT; hooks.len()],
            drops: vec![ABSENT; hooks.len()],
            edges: Vec::new(),
        }
    }

    fn add(&mut self, step: Step) {
        let number = self.steps.len();
        match step {
            Step::Run(hook) | Step::Stop(hook) => self.runs[hook] = number,
            Step::Drop(hook) => self.drops[hook] = number,
            Step::Barrier(_) => {}
        }
        self.steps.push(step);
    }

    /// Adds a step for each hook of these kinds.
    fn runs(&mut self, hooks: Hooks<'_>, is_in: impl Fn(Kind) -> bool) {
        for kind in Kind::ALL.into_iter().filter(|kind| is_in(*kind)) {
            of_kind(hooks, kind).for_each(|(at, _)| self.add(Step::Run(at)));
        }
    }

    /// Adds an edge for each need and each `before` among the hooks of these kinds.
    fn needs(&mut self, hooks: Hooks<'_>, index: &Index, is_in: impl Fn(Kind) -> bool) {
        for kind in Kind::ALL.into_iter().filter(|kind| is_in(*kind)) {
            for (at, hook) in of_kind(hooks, kind) {
                for needed in hook.needs().filter(|needed| is_in(needed.kind)) {
                    self.edge(Step::Run(index[&needed.id]), Step::Run(at));
                }
                for later in hook.before().filter(|later| later.kind == kind) {
                    self.edge(Step::Run(at), Step::Run(index[&later.id]));
                }
            }
        }
    }

    /// Adds an edge between steps that have been added.
    fn edge(&mut self, from: Step, to: Step) {
        self.edges.push((self.number(from), self.number(to)));
    }

    fn number(&self, step: Step) -> usize {
        match step {
            Step::Run(hook) | Step::Stop(hook) => self.runs[hook],
            Step::Drop(hook) => self.drops[hook],
            Step::Barrier(_) => ABSENT,
        }
    }

    /// Adds a barrier between each two orders in use. It waits for all hooks of the lower order and
    /// holds back all hooks of the higher one.
    fn orders(&mut self, hooks: Hooks<'_>, kind: Kind) {
        let in_order: Vec<_> = of_kind(hooks, kind)
            .filter_map(|(at, hook)| Some((hook.order()?, self.runs[at])))
            .collect();
        // Hooks are sorted by order.
        let orders: Vec<_> = in_order.chunk_by(|a, b| a.0 == b.0).collect();
        for pair in orders.windows(2) {
            let step =
                |hooks: &[(u32, usize)]| hooks.iter().map(|&(_, step)| step).collect::<Vec<_>>();
            self.barrier(Behind::Orders, &step(pair[0]), &step(pair[1]));
        }
    }

    /// Puts shutdown hooks behind the services, except for teardowns, which their dependencies
    /// place. A service that some of these hooks precede, however indirectly, holds back only hooks
    /// that precede no service. So a `before` is about its service alone, and no two such hooks
    /// wait for each other's services.
    fn services(&mut self, hooks: Hooks<'_>) {
        let steps = |kind| of_kind(hooks, kind).map(|(at, hook)| (self.runs[at], hook));
        let services: Vec<_> = steps(Kind::Service).map(|(step, _)| step).collect();
        let hooks = steps(Kind::Shutdown).filter(|(_, hook)| hook.of().is_none());
        let hooks: Vec<_> = hooks.map(|(step, _)| step).collect();
        if services.is_empty() || hooks.is_empty() {
            return;
        }
        let so_far = Graph::new(self.steps.clone(), &self.edges);
        let is_preceded = so_far.reachable(hooks.iter().copied());
        let precedes = so_far.reversed().reachable(services.iter().copied());
        let (preceded, free): (Vec<_>, Vec<_>) =
            services.into_iter().partition(|&service| is_preceded[service]);
        let last: Vec<_> = hooks.iter().copied().filter(|&hook| !precedes[hook]).collect();
        self.barrier(Behind::Services, &free, &hooks);
        self.barrier(Behind::Services, &preceded, &last);
    }

    /// Adds a barrier that puts all of the earlier steps before all of the later ones.
    fn barrier(&mut self, behind: Behind, earlier: &[usize], later: &[usize]) {
        if earlier.is_empty() || later.is_empty() {
            return;
        }
        let barrier = self.steps.len();
        self.add(Step::Barrier(behind));
        self.edges.extend(earlier.iter().map(|&step| (step, barrier)));
        self.edges.extend(later.iter().map(|&step| (barrier, step)));
    }

    fn finish(self) -> Graph {
        Graph::new(self.steps, &self.edges)
    }
}
