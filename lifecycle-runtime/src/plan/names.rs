//! Display names of hooks: those of one name are told apart by their modules.

use crate::hook::HookMeta;

/// Gives the hooks of each name display names that are unique. The hooks are sorted by name.
pub(super) fn tell_apart(hooks: &mut [&'static HookMeta]) {
    for same in hooks.chunk_by_mut(|a, b| a.name == b.name) {
        let modules: Vec<_> = same.iter().map(|hook| hook.module).collect();
        for hook in same {
            *hook = shown_as(hook, distinct(hook.module, &modules));
        }
    }
}

/// Returns the shortest end of the module's path that no other of these has. The whole path if each
/// is the end of another's, and nothing if there is no other.
fn distinct<'m>(module: &'m str, modules: &[&str]) -> &'m str {
    if modules.len() == 1 {
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
    let separator = if modules.is_empty() { "" } else { "::" };
    let display_name = format!("{modules}{separator}{}", hook.name);
    if display_name == hook.display_name {
        return hook;
    }
    // Metadata lives as long as the process, and few hooks share a name.
    Box::leak(Box::new(HookMeta { display_name: String::leak(display_name), ..*hook }))
}
