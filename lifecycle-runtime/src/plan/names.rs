//! Display names of hooks: those of one name are told apart by their modules.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::hook::HookMeta;

/// Number of hooks per name. Names come from the program itself: nobody could choose them to collide.
type Counts = HashMap<&'static str, usize, foldhash::fast::RandomState>;

/// Gives the hooks of each name display names that are unique.
pub(super) fn tell_apart(hooks: &mut [&'static HookMeta]) {
    let mut counts = Counts::with_capacity_and_hasher(hooks.len(), foldhash::fast::RandomState::default());
    for hook in hooks.iter() {
        *counts.entry(hook.name).or_default() += 1;
    }
    let is_shared = |hook: &HookMeta| counts.get(hook.name).is_some_and(|&count| count > 1);
    let shared: Vec<_> = hooks.iter().copied().filter(|hook| is_shared(hook)).collect();
    for hook in hooks {
        let of_the_name = shared.iter().filter(|other| other.name == hook.name);
        let modules: Vec<_> = of_the_name.map(|other| other.module).collect();
        *hook = shown_as(hook, distinct(hook.module, &modules));
    }
}

/// Returns the shortest end of the module's path that no other of these has. The whole path if each
/// is the end of another's, and nothing if there is no other.
fn distinct<'m>(module: &'m str, modules: &[&str]) -> &'m str {
    if modules.is_empty() {
        return "";
    }
    let is_unique = |end: &&str| {
        let number = segments(end);
        modules.iter().filter(|other| last(other, number) == *end).count() == 1
    };
    let ends = (1..=segments(module)).map(|number| last(module, number));
    ends.into_iter().find(is_unique).unwrap_or(module)
}

/// Returns the number of segments of a path.
fn segments(path: &str) -> usize {
    path.matches("::").count() + 1
}

/// Returns this many last segments of a path, or all of it.
fn last(path: &str, number: usize) -> &str {
    path.rmatch_indices("::").nth(number - 1).map_or(path, |(at, separator)| &path[at + separator.len()..])
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
