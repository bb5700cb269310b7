//! Rules for hooks that name each other. The compiler checks them in a constant beside the hook's
//! registration; the plan checks them again for metadata that no attribute has made.

use super::dependencies::{Dependencies, Dependency};
use super::message::Message;
use super::{HookMeta, Kind, Policy};

/// Way in which a hook names another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Relation {
    /// An argument that takes its value.
    Value,
    /// The key `after`.
    After,
    /// The key `before`.
    Before,
    /// The key `of`.
    Teardown,
}

/// Returns the message about the rule that a hook breaks by naming another in this way.
pub(crate) const fn violation(
    hook: &HookMeta,
    relation: Relation,
    named: Dependency,
) -> Option<Message> {
    let named = match named {
        Dependency::Hook(named) => named,
        Dependency::ServiceHandle => return only_services_have_a_handle(hook),
        Dependency::StopHandle => return None,
    };
    match relation {
        Relation::Value => either(only_startup_hooks_have_values(hook, named), order(hook, named)),
        Relation::After => {
            let phase_or_signal = either(is_there_before(hook, named), one_signal(hook, named));
            either(phase_or_signal, order(hook, named))
        }
        Relation::Before => either(ends_with_the_stop(hook, named), order(named, hook)),
        Relation::Teardown => only_startup_hooks_have_teardowns(hook, named),
    }
}

impl HookMeta {
    /// Fails to compile, at the caller's place, if the hook breaks a rule.
    #[doc(hidden)]
    #[track_caller]
    pub const fn check(&self, dependencies: &Dependencies) {
        let mut i = 0;
        while i < dependencies.arguments.len() {
            self.check_each(Relation::Value, dependencies.arguments[i]);
            i += 1;
        }
        self.check_each(Relation::After, dependencies.after);
        let mut i = 0;
        while i < dependencies.before.len() {
            self.check_each(Relation::Before, &[Dependency::Hook(dependencies.before[i])]);
            i += 1;
        }
        if let Some(resource) = dependencies.of {
            self.check_each(Relation::Teardown, &[resource]);
        }
    }

    #[track_caller]
    const fn check_each(&self, relation: Relation, named: &[Dependency]) {
        let mut i = 0;
        while i < named.len() {
            if let Some(message) = violation(self, relation, named[i]) {
                panic!("{}", message.as_str());
            }
            i += 1;
        }
    }
}

const fn either(first: Option<Message>, second: Option<Message>) -> Option<Message> {
    if first.is_some() { first } else { second }
}

/// Refuses `Service` as an argument of any other hook: it is the handle of a service on itself.
const fn only_services_have_a_handle(hook: &HookMeta) -> Option<Message> {
    if matches!(hook.kind, Kind::Service) {
        return None;
    }
    let text = Message::new().hook(hook.name).text(" takes `Service`, but is ").a(hook.kind);
    Some(text.text(" hook: only a `#[service]` has one"))
}

/// Refuses `Dep` of any hook but a startup hook: the others have no value.
const fn only_startup_hooks_have_values(hook: &HookMeta, used: &HookMeta) -> Option<Message> {
    if matches!(used.kind, Kind::Startup) {
        return None;
    }
    let text = Message::new()
        .hook(hook.name)
        .text(" takes `Dep<")
        .text(used.name)
        .text(">`, but `")
        .text(used.name)
        .text("` is ")
        .a(used.kind)
        .text(" hook: only `#[on_startup]` hooks provide a value");
    if hook.kind.may_need(used.kind) {
        let text = text.text("; to be ordered behind it, use `after = [").text(used.name);
        return Some(text.text("]`"));
    }
    Some(text)
}

/// Refuses an `after` that names a hook which is not there before. One phase of a run is over
/// before the next begins. So `after` orders hooks of one kind, and names the startup hooks and
/// services that are used.
const fn is_there_before(hook: &HookMeta, earlier: &HookMeta) -> Option<Message> {
    if hook.kind.may_need(earlier.kind) {
        return None;
    }
    let mut text = Message::new()
        .hook(hook.name)
        .text(" can't run after ")
        .hook(earlier.name)
        .text(", which is ")
        .a(earlier.kind)
        .text(" hook: `after` of ")
        .a(hook.kind)
        .text(" hook names ");
    if hook.kind.may_need(hook.kind) && !hook.kind.may_be_used() {
        text = text.text("such hooks, ");
    }
    Some(text.kind(Kind::Startup).text(" hooks and services"))
}

/// Refuses an `after` between hooks of different signals. Each signal arrives or not, so `after`
/// orders hooks of one signal.
const fn one_signal(hook: &HookMeta, earlier: &HookMeta) -> Option<Message> {
    let (Policy::Signal(own), Policy::Signal(other)) = (hook.policy, earlier.policy) else {
        return None;
    };
    if is_same(own, other) {
        return None;
    }
    let text = Message::new()
        .hook(hook.name)
        .text(" (")
        .text(own)
        .text(") can't run after ")
        .hook(earlier.name)
        .text(" (")
        .text(other)
        .text("): `after` names hooks of the same signal, ");
    Some(text.kind(Kind::Startup).text(" hooks and services"))
}

/// Refuses a `before` that names neither a service nor a shutdown hook: any other hook has ended
/// before the first shutdown hook begins.
const fn ends_with_the_stop(hook: &HookMeta, later: &HookMeta) -> Option<Message> {
    if later.kind.may_be_preceded() {
        return None;
    }
    let text = Message::new()
        .hook(hook.name)
        .text(" can't run before ")
        .hook(later.name)
        .text(", which is ")
        .a(later.kind)
        .text(" hook: `before` names ")
        .kind(Kind::Shutdown)
        .text(" hooks and services");
    if matches!(later.kind, Kind::Startup) {
        let text = text.text("; to run before its teardown, take `Dep<").text(later.name);
        return Some(text.text(">`"));
    }
    Some(text)
}

/// Refuses a teardown of any hook but a startup hook: only what has started can be torn down.
const fn only_startup_hooks_have_teardowns(
    hook: &HookMeta,
    resource: &HookMeta,
) -> Option<Message> {
    if matches!(resource.kind, Kind::Startup) {
        return None;
    }
    let text = Message::new()
        .hook(hook.name)
        .text(" is the teardown of ")
        .hook(resource.name)
        .text(", which is ")
        .a(resource.kind);
    Some(text.text(" hook: `of` names an `#[on_startup]` hook"))
}

/// Refuses a dependency on a hook of a higher order. Hooks of a lower order have ended before those
/// of a higher one begin.
const fn order(hook: &HookMeta, earlier: &HookMeta) -> Option<Message> {
    let (Some(own), Some(other)) = (hook.order(), earlier.order()) else { return None };
    if hook.kind as u8 != earlier.kind as u8 || own >= other {
        return None;
    }
    let text = Message::new()
        .hook(hook.name)
        .text(" (order ")
        .number(own)
        .text(") depends on ")
        .hook(earlier.name)
        .text(" (order ")
        .number(other);
    Some(text.text("): a hook can't run before what it depends on"))
}

/// Compares two texts: a constant can't use `==`.
const fn is_same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}
