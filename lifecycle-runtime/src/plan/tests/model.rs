//! Random plans against a model that knows nothing of graphs. The model is a table of the things
//! that must end before others begin. It is written down from the meaning of the keys, and closed
//! by brute force.

use proptest::prelude::*;

use super::super::sample::hooks;
use super::super::{Graph, Plan, Step};
use crate::hook::{HookMeta, Kind};

/// A thing that happens: the run of a hook, the end of a service, or the drop of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Thing {
    Run(&'static str),
    Stop(&'static str),
    Drop(&'static str),
}

/// Kinds of hooks that the graphs of a plan begin with, in their order.
const GRAPHS: [Kind; 6] =
    [Kind::Startup, Kind::HealthCheck, Kind::Ready, Kind::Signal, Kind::Drain, Kind::Shutdown];

/// Returns the things of a phase, and the pairs of which the first must end before the second
/// begins.
fn declared(hooks: &[&'static HookMeta], kind: Kind) -> (Vec<Thing>, Vec<(Thing, Thing)>) {
    let of_kind = |kind| hooks.iter().copied().filter(move |hook| hook.kind() == kind);
    // Services begin with the startup hooks.
    let phase =
        |hook: &HookMeta| if hook.kind() == Kind::Service { Kind::Startup } else { hook.kind() };
    let begin = || hooks.iter().copied().filter(move |hook| phase(hook) == kind);
    let mut things: Vec<_> = begin().map(|hook| Thing::Run(hook.name())).collect();
    let mut pairs = Vec::new();
    for a in begin() {
        for b in begin() {
            if let (Some(lower), Some(higher)) = (a.order(), b.order())
                && lower < higher
            {
                pairs.push((Thing::Run(a.name()), Thing::Run(b.name())));
            }
        }
        for needed in a.needs().filter(|needed| phase(needed) == kind) {
            pairs.push((Thing::Run(needed.name()), Thing::Run(a.name())));
        }
        for later in a.before() {
            let later = if later.kind() == Kind::Service {
                Thing::Stop(later.name())
            } else {
                Thing::Run(later.name())
            };
            pairs.push((Thing::Run(a.name()), later));
        }
    }
    if kind == Kind::Shutdown {
        let teardowns: Vec<_> =
            of_kind(kind).filter_map(|hook| Some((hook.of()?.name(), hook.name()))).collect();
        // Whatever uses a resource is over before its teardown and before its drop; whatever uses a
        // service, before its end.
        let mut uses = |user: Thing, used: &HookMeta| {
            if used.kind() == Kind::Service {
                return pairs.push((user, Thing::Stop(used.name())));
            }
            pairs.push((user, Thing::Drop(used.name())));
            let torn_down = teardowns.iter().filter(|(torn, _)| *torn == used.name());
            pairs.extend(
                torn_down
                    .map(|(_, teardown)| (user, Thing::Run(teardown)))
                    .filter(|(user, end)| user != end),
            );
        };
        let of_the_start = of_kind(Kind::Startup).map(|hook| (Thing::Drop(hook.name()), hook));
        let services = of_kind(Kind::Service).map(|hook| (Thing::Stop(hook.name()), hook));
        for (end, hook) in of_the_start.chain(services) {
            things.push(end);
            hook.needs().for_each(|needed| uses(end, needed));
        }
        for hook in of_kind(kind) {
            let used =
                hook.needs().chain(hook.of()).filter(|needed| needed.kind() == Kind::Startup);
            used.for_each(|needed| uses(Thing::Run(hook.name()), needed));
        }
        for hook in of_kind(kind) {
            let after = hook.needs().filter(|needed| needed.kind() == Kind::Service);
            pairs.extend(
                after.map(|service| (Thing::Stop(service.name()), Thing::Run(hook.name()))),
            );
        }
        pairs.extend(behind_services(hooks, &things, &pairs));
    }
    (things, pairs)
}

/// Returns the pairs of services and shutdown hooks that no key states.
fn behind_services(
    hooks: &[&'static HookMeta],
    things: &[Thing],
    pairs: &[(Thing, Thing)],
) -> Vec<(Thing, Thing)> {
    let closed = closed(things, pairs);
    let at = |thing: Thing| things.iter().position(|other| *other == thing).expect("a thing");
    let precedes = |hook: &HookMeta, service: &HookMeta| {
        closed[at(Thing::Run(hook.name()))][at(Thing::Stop(service.name()))]
    };
    let shutdown: Vec<_> =
        hooks.iter().filter(|hook| hook.kind() == Kind::Shutdown && hook.of().is_none()).collect();
    let services: Vec<_> = hooks.iter().filter(|hook| hook.kind() == Kind::Service).collect();
    let mut pairs = Vec::new();
    for service in &services {
        for hook in &shutdown {
            let is_preceded = shutdown.iter().any(|hook| precedes(hook, service));
            if !is_preceded || !services.iter().any(|service| precedes(hook, service)) {
                pairs.push((Thing::Stop(service.name()), Thing::Run(hook.name())));
            }
        }
    }
    pairs
}

/// Returns everything that follows from the pairs: `closed[a][b]` if `a` must end before `b`
/// begins.
fn closed(things: &[Thing], pairs: &[(Thing, Thing)]) -> Vec<Vec<bool>> {
    let at = |thing: Thing| things.iter().position(|other| *other == thing).expect("a thing");
    let mut closed = vec![vec![false; things.len()]; things.len()];
    for &(a, b) in pairs {
        closed[at(a)][at(b)] = true;
    }
    for middle in 0..things.len() {
        for a in 0..things.len() {
            for b in 0..things.len() {
                closed[a][b] |= closed[a][middle] && closed[middle][b];
            }
        }
    }
    closed
}

/// Returns the order that the graph states, in the same form.
fn planned(plan: &Plan, graph: &Graph, things: &[Thing]) -> Vec<Vec<bool>> {
    let thing = |step: usize| match graph.steps()[step] {
        Step::Run(hook) => Some(Thing::Run(plan.hooks()[hook].name())),
        Step::Stop(hook) => Some(Thing::Stop(plan.hooks()[hook].name())),
        Step::Drop(hook) => Some(Thing::Drop(plan.hooks()[hook].name())),
        Step::Barrier(_) => None,
    };
    let reachable = |from: usize| {
        let (mut open, mut found) = (vec![from], vec![false; graph.steps().len()]);
        while let Some(step) = open.pop() {
            for next in graph.successors(step) {
                if !std::mem::replace(&mut found[next], true) {
                    open.push(next);
                }
            }
        }
        found
    };
    let steps: Vec<_> = things
        .iter()
        .map(|wanted| {
            (0..graph.steps().len())
                .find(|&step| thing(step) == Some(*wanted))
                .expect("a step per thing")
        })
        .collect();
    steps
        .iter()
        .map(|&a| {
            let found = reachable(a);
            steps.iter().map(|&b| found[b]).collect()
        })
        .collect()
}

/// Generates the text of a plan: up to four startup hooks and services, up to four shutdown hooks,
/// and up to two hooks of each kind between. Edges point to hooks written earlier, as constants
/// force them to; `before` points anywhere.
fn text() -> impl Strategy<Value = String> {
    let bits = || proptest::collection::vec(any::<bool>(), 5);
    let startup =
        proptest::collection::vec((0_u32..3, bits(), proptest::bool::weighted(0.3)), 0..5);
    let between = || proptest::collection::vec((0_u32..3, bits(), bits()), 0..3);
    let shutdown = proptest::collection::vec(
        (0_u32..3, bits(), bits(), proptest::option::of(0_usize..5), 0_u8..8),
        0..5,
    );
    (startup, between(), between(), shutdown).prop_map(|(startup, ready, drain, shutdown)| {
        let mut text = String::new();
        let mut torn_down = [false; 5];
        let chosen = |bits: &[bool], names: &str, limit: usize| -> String {
            (0..limit).filter(|&n| bits[n]).map(|n| format!(" {names}{n}")).collect()
        };
        // A startup hook is needed for its value, and a service by `after`.
        let of_the_start = |bits: &[bool], limit: usize| -> String {
            let key = |n: usize| if startup[n].2 { "after" } else { "needs" };
            (0..limit).filter(|&n| bits[n]).map(|n| format!(" {} a{n}", key(n))).collect()
        };
        for (n, (order, needs, is_service)) in startup.iter().enumerate() {
            // A need of a higher order is a compile error; here it would only make most plans
            // invalid.
            let needed = of_the_start(needs, n);
            let order = if needed.is_empty() { *order } else { 2 };
            if *is_service {
                text += &format!("service a{n}{needed};");
            } else {
                text += &format!("start a{n} order {order}{needed};");
            }
        }
        for (phase, hooks) in [("ready", ready), ("drain", drain)] {
            for (n, (order, needs, after)) in hooks.iter().enumerate() {
                let (needed, after) = (of_the_start(needs, startup.len()), chosen(after, phase, n));
                // As above.
                let order = if after.is_empty() { *order } else { 2 };
                text += &format!("{phase} {phase}{n} order {order}{needed} after{after};");
            }
        }
        for (n, (order, needs, after, of, rare)) in shutdown.iter().enumerate() {
            text += &format!(
                "stop z{n}{} after{}",
                of_the_start(needs, startup.len()),
                chosen(after, "z", n)
            );
            if let Some(of) =
                of.filter(|of| startup.get(*of).is_some_and(|hook| !hook.2) && !torn_down[*of])
            {
                torn_down[of] = true;
                text += &format!(" of a{of}");
            }
            if *rare < 3 {
                text += &format!(" order {order}");
            }
            if *rare == 3 {
                text += &format!(" before z{}", (n + 1) % shutdown.len());
            }
            let service = startup.iter().position(|hook| hook.2);
            if let Some(service) = service.filter(|_| *rare > 5) {
                text += &format!(" before a{service}");
            }
            text += ";";
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_plan_demands_what_was_declared_and_nothing_else(text in text()) {
        let hooks = hooks(&text);
        let phases = GRAPHS.map(|kind| declared(&hooks, kind));
        let tables = phases.each_ref().map(|(things, pairs)| closed(things, pairs));
        let contradicts = |table: &Vec<Vec<bool>>| (0..table.len()).any(|at| table[at][at]);
        match Plan::new(hooks.iter().copied()) {
            Err(error) => prop_assert!(tables.iter().any(contradicts), "{} refused: \
                {}", text, error),
            Ok(plan) => {
                prop_assert!(!tables.iter().any(contradicts), "{} planned in spite of a \
                    contradiction", text);
                for ((_, graph), ((things, _), table)) in
                    plan.graphs().into_iter().zip(phases.iter().zip(&tables))
                {
                    prop_assert_eq!(
                        &planned(&plan, graph, things),
                        table,
                        "{}: {:?}",
                        text,
                        things
                    );
                }
            }
        }
    }
}
