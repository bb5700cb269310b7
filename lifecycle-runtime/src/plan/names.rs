//! Display names of hooks: those of one name are told apart by their modules.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::hook::HookMeta;

/// Number of hooks per name. Names come from the program itself: nobody could choose them to
/// collide.
type NameCounts = HashMap<&'static str, usize, foldhash::fast::RandomState>;

/// Number of hooks per name and end of the path of their module.
type Ends = HashMap<(&'static str, &'static str), usize, foldhash::fast::RandomState>;

/// Gives the hooks of each name display names that are unique.
pub(super) fn tell_apart(hooks: &mut [&'static HookMeta]) {
    let mut counts =
        NameCounts::with_capacity_and_hasher(hooks.len(), foldhash::fast::RandomState::default());
    for hook in hooks.iter() {
        *counts.entry(hook.name).or_default() += 1;
    }
    let is_shared = |hook: &HookMeta| counts.get(hook.name).is_some_and(|&count| count > 1);
    let mut ends = Ends::default();
    for hook in hooks.iter().filter(|hook| is_shared(hook)) {
        for number in 1..=segments(hook.module) {
            *ends.entry((hook.name, last(hook.module, number))).or_default() += 1;
        }
    }
    for hook in hooks {
        let modules = if is_shared(hook) { distinct(hook, &ends) } else { "" };
        *hook = shown_as(hook, modules);
    }
}

/// Returns the shortest end of the path of a hook's module that no other hook of the name has. The
/// whole path if each is the end of another's.
fn distinct(hook: &HookMeta, ends: &Ends) -> &'static str {
    let own = (1..=segments(hook.module)).map(|number| last(hook.module, number));
    own.into_iter().find(|end| ends[&(hook.name, *end)] == 1).unwrap_or(hook.module)
}

/// Returns the number of segments of a path.
fn segments(path: &str) -> usize {
    path.matches("::").count() + 1
}

/// Returns this many last segments of a path, or all of it.
fn last(path: &'static str, number: usize) -> &'static str {
    path.rmatch_indices("::")
        .nth(number - 1)
        .map_or(path, |(at, separator)| &path[at + separator.len()..])
}

/// Returns the hook's metadata with the display name that has these modules before the name. The
/// hook may come out of another plan.
fn shown_as(hook: &'static HookMeta, modules: &str) -> &'static HookMeta {
    let display_name = match modules {
        "" => Cow::Borrowed(hook.name),
        modules => Cow::Owned(format!("{modules}::{}", hook.name)),
    };
    if display_name == hook.display_name {
        return hook;
    }
    // Metadata lives as long as the process, and few hooks share a name.
    Box::leak(Box::new(HookMeta { display_name: String::leak(display_name.into_owned()), ..*hook }))
}
