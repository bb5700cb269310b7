//! Checks of all hooks together, before anything runs. The compiler has checked what the metadata
//! of a single hook shows.

use super::graph::{Graph, Step};
use super::{Hooks, clash, label};
use crate::hook::id::HookMap;
use crate::hook::rules::{Relation, violation};
use crate::hook::{Dependencies, Dependency, HookMeta, Kind};

/// Returns every problem that keeps the graphs from being built.
pub(super) fn all(hooks: Hooks<'_>, index: &HookMap<usize>) -> Vec<String> {
    let mut problems = one_teardown_per_hook(hooks, index);
    told_with_the_drain(hooks, &mut problems);
    for hook in hooks {
        rules(hook, &mut problems);
    }
    problems
}

/// Checks the rules that the compiler has checked for hooks of the attributes.
fn rules(hook: &HookMeta, problems: &mut Vec<String>) {
    let Dependencies { arguments, after, before, of } = hook.dependencies();
    let values = arguments.iter().copied().flatten().map(|named| (Relation::Value, *named));
    let after = after.iter().map(|named| (Relation::After, *named));
    let before = before.iter().map(|named| (Relation::Before, Dependency::Hook(named)));
    let of = of.into_iter().map(|named| (Relation::Teardown, named));
    for (relation, dependency) in values.chain(after).chain(before).chain(of) {
        if let Some(message) = violation(hook, relation, dependency) {
            let involved = [Some(hook), dependency.hook()].into_iter().flatten();
            let places: Vec<_> = involved
                .map(|hook| format!("`{}` at {}", hook.display_name, hook.place()))
                .collect();
            problems.push(format!("{} ({})", message.as_str(), places.join(", ")));
        }
    }
}

/// Returns the problems of hooks that have the same path, by which reports and settings name hooks.
/// The hooks have to be sorted by it.
pub(super) fn one_hook_per_path(hooks: Hooks<'_>) -> Vec<String> {
    let same =
        |pair: &&[&HookMeta]| pair[0].name == pair[1].name && pair[0].module == pair[1].module;
    clash::describe(hooks.windows(2).filter(same).map(|pair| (pair[0], pair[1])))
}

/// Returns the problems of values with two teardowns: a value ends once.
fn one_teardown_per_hook(hooks: Hooks<'_>, index: &HookMap<usize>) -> Vec<String> {
    let mut problems = Vec::new();
    let mut first = vec![None; hooks.len()];
    for hook in hooks {
        let Some(resource) = hook.of() else { continue };
        if let Some(other) = first[index[&resource.id]].replace(hook) {
            problems.push(format!(
                "{} has two teardowns: {} and {}; keep `of = {}` on one of them and let the other \
                 run before it, with \
                 `before = [...]` or an argument `Dep<{}>`",
                named(resource),
                named(other),
                named(hook),
                resource.name,
                resource.name,
            ));
        }
    }
    problems
}

/// Adds the problems of hooks that need a service which is told to stop with the drain: it would
/// end before they do.
///
/// Ready hooks are over by then, and a shutdown hook that comes after a service waits for its end.
fn told_with_the_drain(hooks: Hooks<'_>, problems: &mut Vec<String>) {
    for hook in hooks {
        let needs = hook.needs().filter(|_| !matches!(hook.kind, Kind::Ready | Kind::Shutdown));
        for service in needs.chain(hook.before()).filter(|needed| needed.stops_with_drain()) {
            problems.push(format!(
                "{} is told to stop when the drain begins, but {} needs it for longer; take \
                 `stop_on = \"drain\"` away, or the dependency",
                named(service),
                named(hook),
            ));
        }
    }
}

/// Returns a problem for each of these paths that no hook has.
pub(crate) fn missing(hooks: Hooks<'_>, expected: &[String]) -> Vec<String> {
    let paths: Vec<_> = hooks.iter().map(|hook| hook.path()).collect();
    let missing = expected.iter().filter(|path| !paths.contains(path));
    missing
        .map(|path| {
            format!("no hook has the path `{path}`, which is expected; {}", advice(path, &paths))
        })
        .collect()
}

/// Returns the advice about a path that no hook has. A crate that is linked has registered all of
/// its hooks.
fn advice(missing: &str, paths: &[String]) -> String {
    let crate_of = |path: &str| path.split("::").next().unwrap_or_default().to_owned();
    let is_linked = paths.iter().any(|path| crate_of(path) == crate_of(missing));
    let link = format!(
        "a crate that no code names is not linked: write `use {} as _;`",
        crate_of(missing)
    );
    match (similar(missing, paths), is_linked) {
        (Some(similar), true) => format!("did you mean `{similar}`?"),
        (Some(similar), false) => format!("did you mean `{similar}`? If not: {link}"),
        (None, true) => "other hooks of that crate are there: is this one compiled?".to_owned(),
        (None, false) => link,
    }
}

/// Returns the path that may have been meant: the one most like it, or else one of the same name.
fn similar<'p>(missing: &str, paths: &'p [String]) -> Option<&'p String> {
    let likeness = |path: &str| strsim::normalized_damerau_levenshtein(missing, path);
    let most = paths.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    let name = |path: &str| path.rsplit("::").next().map(str::to_owned);
    most.filter(|path| likeness(path) >= 0.8)
        .or_else(|| paths.iter().find(|path| name(path) == name(missing)))
}

/// Returns the problem of a cycle that the edges of several keys close together. It has the cycle
/// as `a → b → a`, and the place of each hook.
pub(super) fn describe_cycle(hooks: Hooks<'_>, graph: &Graph, cycle: &[usize]) -> String {
    let first = cycle
        .iter()
        .copied()
        .min_by_key(|&step| label(hooks, graph.steps()[step]))
        .unwrap_or_default();
    let from = cycle.iter().position(|&step| step == first).unwrap_or_default();
    let turned = cycle[from..].iter().chain(&cycle[..=from]);
    let names: Vec<_> = turned.map(|&step| label(hooks, graph.steps()[step])).collect();
    let involved = cycle.iter().filter_map(|&step| match graph.steps()[step] {
        Step::Run(hook) | Step::Stop(hook) | Step::Drop(hook) => Some(hook),
        Step::Barrier(_) => None,
    });
    let mut involved: Vec<_> = involved.map(|hook| named(hooks[hook])).collect();
    involved.sort();
    involved.dedup();
    format!(
        "these hooks wait for each other: {}; take one of the dependencies away: {}",
        names.join(" → "),
        involved.join(", ")
    )
}

fn named(hook: &HookMeta) -> String {
    format!("`{}` ({})", hook.display_name, hook.place())
}
