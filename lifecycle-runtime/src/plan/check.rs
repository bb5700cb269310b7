//! What is checked of all hooks together, before anything runs. What one hook's metadata shows, the
//! compiler has checked.

use super::graph::{Graph, Step};
use super::{clash, label};
use crate::hook::id::HookMap;
use crate::hook::{HookMeta, Kind};

type Hooks<'a> = &'a [&'static HookMeta];

/// Every problem that keeps the graphs from being built.
pub(super) fn all(hooks: Hooks<'_>, index: &HookMap<usize>) -> Vec<String> {
    let mut problems = one_teardown_per_hook(hooks, index);
    told_with_the_drain(hooks, &mut problems);
    for hook in hooks {
        teardown_of_a_startup_hook(hook, &mut problems);
        needs_what_is_there(hook, &mut problems);
        needs_its_own_signal(hook, &mut problems);
        before_what_ends(hook, &mut problems);
        before_a_higher_order(hook, &mut problems);
    }
    problems
}

/// Reports and settings name hooks by their path. These are sorted by it.
pub(super) fn one_hook_per_path(hooks: Hooks<'_>) -> Vec<String> {
    let same =
        |pair: &&[&HookMeta]| pair[0].name == pair[1].name && pair[0].module == pair[1].module;
    clash::describe(hooks.windows(2).filter(same).map(|pair| (pair[0], pair[1])))
}

/// A value ends once.
fn one_teardown_per_hook(hooks: Hooks<'_>, index: &HookMap<usize>) -> Vec<String> {
    let mut problems = Vec::new();
    let mut first = vec![None; hooks.len()];
    for hook in hooks {
        let Some(resource) = hook.of() else { continue };
        if let Some(other) = first[index[&resource.id]].replace(hook) {
            problems.push(format!(
                "{} has two teardowns: {} and {}; keep `of = {}` on one of them and let the other run before it, with \
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

/// Only what has started can be torn down. The compiler checks it for hooks of the attributes.
fn teardown_of_a_startup_hook(hook: &HookMeta, problems: &mut Vec<String>) {
    if let Some(resource) = hook.of().filter(|resource| resource.kind != Kind::Startup) {
        problems.push(format!(
            "{} can't be the teardown of {}: only `#[on_startup]` hooks have one",
            named(hook),
            named(resource)
        ));
    }
}

/// One phase of a run is over before the next begins. The compiler checks it for hooks of the
/// attributes.
fn needs_what_is_there(hook: &HookMeta, problems: &mut Vec<String>) {
    for needed in hook.needs().filter(|needed| !hook.kind.may_need(needed.kind)) {
        problems.push(format!(
            "{}, {} hook, can't need {}, {} hook; take the dependency away",
            named(hook),
            under(hook.kind),
            named(needed),
            under(needed.kind),
        ));
    }
}

/// Hooks of two signals have nothing to do with each other: one may arrive and the other not.
fn needs_its_own_signal(hook: &HookMeta, problems: &mut Vec<String>) {
    let of_another =
        |needed: &&HookMeta| needed.kind == Kind::Signal && needed.signal() != hook.signal();
    for needed in hook.needs().filter(of_another) {
        let signal = |hook: &HookMeta| hook.signal().unwrap_or_default();
        problems.push(format!(
            "{}, which is for {}, can't run after {}, which is for {}; take the dependency away",
            named(hook),
            signal(hook),
            named(needed),
            signal(needed),
        ));
    }
}

/// A service that is told to stop with the drain ends before those that need it would.
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

/// All others are over before any shutdown hook. The compiler checks it for hooks of the
/// attributes.
fn before_what_ends(hook: &HookMeta, problems: &mut Vec<String>) {
    for later in hook.before().filter(|later| !later.kind.may_be_preceded()) {
        let what_to_do = match later.kind {
            Kind::Startup => {
                format!(
                    "to run before the teardown of `{0}`, take it as an argument: `Dep<{0}>`",
                    later.name
                )
            }
            _ => "take `before` away".to_owned(),
        };
        problems.push(format!(
            "{} can't run before {}, {} hook, which runs earlier; {what_to_do}",
            named(hook),
            named(later),
            under(later.kind),
        ));
    }
}

/// A lower order has finished before a higher one starts.
fn before_a_higher_order(hook: &HookMeta, problems: &mut Vec<String>) {
    for later in hook.before() {
        if let (Some(own), Some(other)) = (hook.order(), later.order())
            && own > other
        {
            problems.push(format!(
                "{} (order {own}) is to run before {} (order {other}), but a lower order runs first; change one of \
                 the orders or take `before` away",
                named(hook),
                named(later),
            ));
        }
    }
}

/// What to say of each of these paths that no hook has.
pub(crate) fn missing(hooks: Hooks<'_>, expected: &[String]) -> Vec<String> {
    let paths: Vec<_> = hooks.iter().map(|hook| hook.path()).collect();
    let missing = expected.iter().filter(|path| !paths.contains(path));
    missing
        .map(|path| {
            format!("no hook has the path `{path}`, which is expected; {}", advice(path, &paths))
        })
        .collect()
}

/// What to do about a path that no hook has. A crate that is linked has registered all of its
/// hooks.
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

/// The path that may have been meant: the one most like it, or else a hook of the same name.
fn similar<'p>(missing: &str, paths: &'p [String]) -> Option<&'p String> {
    let likeness = |path: &str| strsim::normalized_damerau_levenshtein(missing, path);
    let most = paths.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    let name = |path: &str| path.rsplit("::").next().map(str::to_owned);
    most.filter(|path| likeness(path) >= 0.8)
        .or_else(|| paths.iter().find(|path| name(path) == name(missing)))
}

/// A cycle that the edges of several keys close together, as `a → b → a` with the place of each.
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

fn under(kind: Kind) -> String {
    format!("{} `#[{kind}]`", kind.article())
}
