//! Plans written as text, for tests:
//! `start db; start cache after db; stop close_db of db timeout 5000`.
//!
//! A hook is `start NAME`, `service NAME`, `check NAME`, `ready NAME`, `signal NAME`, `drain NAME`
//! or `stop NAME`, then any of `order N`, `timeout MILLIS`, `reserve MILLIS`, `of NAME`,
//! `needs NAME…` (as an argument), `after NAME…`, `before NAME…`; of a check `kind KIND`,
//! `every MILLIS`, `failures N`; of a signal `on SIGNAL`; of a service `restart WORD`,
//! `backoff MILLIS..MILLIS`, `most NUMBER/MILLIS`, `exit WORD`, `told drain`, and `handle` if it
//! takes its handle; `stops` if it takes `Stop`; and `exclusive`. A name may have modules before
//! it: `store::db`. Hooks may be named before they are written.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::{Plan, PlanError};
use crate::hook::id::HookId;
use crate::hook::service::Service;
use crate::hook::stop::Stop;
use crate::hook::task::{Task, Value};
use crate::hook::{
    Backoff, CheckKind, Dependencies, Dependency, DependencySource, HealthCheckPolicy, HookMeta,
    Kind, OnExit, Policy, Restart, RestartLimit, ServicePolicy, StopOn,
};

/// Returns the plan of a text.
pub(crate) fn plan(text: &str) -> Result<Plan, PlanError> {
    Plan::new(hooks(text))
}

/// Returns the hooks of a text, in its order. Hooks that need each other in a circle can't be
/// written, as they can't in constants.
pub(crate) fn hooks(text: &str) -> Vec<&'static HookMeta> {
    let lines: Vec<Vec<&str>> =
        text.split(';').map(|line| line.split_whitespace().collect()).collect();
    let lines: Vec<_> = lines.into_iter().filter(|words| !words.is_empty()).collect();
    let mut made = HashMap::new();
    LATER.with_borrow_mut(Vec::clear);
    let hooks =
        lines.iter().map(|words| make(words[1], &lines, &mut made, &mut HashSet::new())).collect();
    all_made(&made);
    hooks
}

const KEYS: [&str; 16] = [
    "order", "timeout", "reserve", "told", "of", "needs", "after", "before", "kind", "every",
    "failures", "on", "restart", "backoff", "most", "exit",
];

/// Returns the word that a line of a hook of this kind begins with.
pub(crate) fn word_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Startup => "start",
        Kind::Service => "service",
        Kind::HealthCheck => "check",
        Kind::Ready => "ready",
        Kind::Signal => "signal",
        Kind::Drain => "drain",
        Kind::Shutdown => "stop",
    }
}

fn make(
    name: &str,
    lines: &[Vec<&str>],
    made: &mut HashMap<String, &'static HookMeta>,
    open: &mut HashSet<String>,
) -> &'static HookMeta {
    if let Some(hook) = made.get(name) {
        return hook;
    }
    assert!(open.insert(name.to_owned()), "{name} needs itself");
    let number =
        lines.iter().position(|words| words[1] == name).unwrap_or_else(|| panic!("no hook {name}"));
    let words = &lines[number];
    let kind = Kind::ALL.into_iter().find(|kind| word_of(*kind) == words[0]);
    let kind = kind.unwrap_or_else(|| panic!("{} {name}: not a kind of hook", words[0]));
    let id = HookId::number(number as u64);
    let path: &str = leak(format!("app::{name}").into_boxed_str());
    let (module, last) = path.rsplit_once("::").expect("a path");
    let mut hook =
        HookMeta::new(id, kind, last, module, |_| Task::future(async { Ok(Value::new(())) }));
    hook.file = "app.rs";
    hook.line = u32::try_from(number + 1).expect("a short text");

    let (mut needs, mut after, mut before, mut of) = (Vec::new(), Vec::new(), Vec::new(), None);
    let (mut check, mut service) = (HealthCheckPolicy::DEFAULT, ServicePolicy::DEFAULT);
    let mut key = "";
    for word in &words[2..] {
        match (key, *word) {
            (_, word) if KEYS.contains(&word) => key = word,
            ("kind", word) => check.kind = check_kind(word),
            ("every", number) => check.interval = millis(number),
            ("failures", number) => check.failures = number.parse().expect("a number"),
            ("on", name) => hook.policy = Policy::Signal(leak(name.to_owned().into_boxed_str())),
            (_, "handle") => needs.push(Service::DEPENDENCY),
            (_, "stops") => needs.push(Stop::DEPENDENCY),
            ("restart", "never") => service.restart = Restart::Never,
            ("restart", "on_failure") => service.restart = Restart::OnFailure,
            ("restart", "always") => service.restart = Restart::Always,
            ("exit", "ignore") => service.on_exit = OnExit::Ignore,
            ("exit", "stop") => service.on_exit = OnExit::Stop,
            ("backoff", range) => {
                let (first, cap) = range.split_once("..").expect("a range");
                service.backoff = Backoff { first: millis(first), cap: millis(cap) };
            }
            ("most", restarts) => {
                let most = restarts.split_once('/');
                service.max_restarts = most.map(|(count, within)| RestartLimit {
                    count: count.parse().expect("a number"),
                    within: millis(within),
                });
            }
            ("order", number) => hook.order = Some(number.parse().expect("a number")),
            ("timeout", number) => hook.timeout = Some(millis(number)),
            ("reserve", number) => hook.reserve = Some(millis(number)),
            (_, "exclusive") => hook.is_exclusive = true,
            ("told", "drain") => service.stop_on = StopOn::Drain,
            ("of", name) => of = Some(Dependency::Hook(make(name, lines, made, open))),
            ("needs", name) => needs.push(Dependency::Hook(make(name, lines, made, open))),
            ("after", name) => after.push(Dependency::Hook(make(name, lines, made, open))),
            ("before", name) => before.push(name.to_owned()),
            _ => panic!("{name}: unexpected {word}"),
        }
    }
    match kind {
        Kind::HealthCheck => hook.policy = Policy::HealthCheck(check),
        Kind::Service => hook.policy = Policy::Service(service),
        _ => {}
    }
    hook.is_teardown = of.is_some();
    let arguments = leak(Box::new([leak(needs.into_boxed_slice())]));
    let dependencies =
        Dependencies { arguments, after: leak(after.into_boxed_slice()), before: &[], of };
    hook.dependencies = if before.is_empty() {
        DependencySource::Data(dependencies)
    } else {
        DependencySource::Type(later(dependencies, before))
    };
    let hook: &'static HookMeta = leak(Box::new(hook));
    made.insert(name.to_owned(), hook);
    hook
}

fn check_kind(word: &str) -> CheckKind {
    match word {
        "readiness" => CheckKind::Readiness,
        "liveness" => CheckKind::Liveness,
        "startup" => CheckKind::Startup,
        _ => panic!("no check is for {word}"),
    }
}

fn millis(number: &str) -> Duration {
    Duration::from_millis(number.parse().expect("a number"))
}

fn leak<T: ?Sized>(value: Box<T>) -> &'static T {
    Box::leak(value)
}

thread_local! {
    /// Dependencies of hooks with a `before`, which may name hooks that are made later. At first
    /// each has those names beside it.
    static LATER: RefCell<Vec<(Dependencies, Vec<String>)>> = const { RefCell::new(Vec::new()) };
}

/// Returns a function that knows the dependencies once all hooks are made. A function can't know
/// the hook for which it is called, so there are several.
fn later(dependencies: Dependencies, before: Vec<String>) -> fn() -> Dependencies {
    fn at<const N: usize>() -> Dependencies {
        LATER.with_borrow(|later| later[N].0)
    }
    const FUNCTIONS: [fn() -> Dependencies; 8] =
        [at::<0>, at::<1>, at::<2>, at::<3>, at::<4>, at::<5>, at::<6>, at::<7>];
    LATER.with_borrow_mut(|later| {
        later.push((dependencies, before));
        FUNCTIONS[later.len() - 1]
    })
}

/// Fills in the hooks that `before` names.
fn all_made(made: &HashMap<String, &'static HookMeta>) {
    LATER.with_borrow_mut(|later| {
        for (edges, before) in later {
            edges.before = before.iter().map(|name| made[name]).collect::<Vec<_>>().leak();
        }
    });
}
