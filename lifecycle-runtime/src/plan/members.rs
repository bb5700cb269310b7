//! Members of a plan: the hooks that it is asked for, and those that belong to them.

use std::collections::HashSet;

use crate::hook::HookMeta;
use crate::hook::id::HookMap;

/// Returns each hook once, with the hooks that its metadata names, and the position of each. The
/// linker may have dropped the registration of a named hook.
pub(crate) fn with_everything_named(
    hooks: impl IntoIterator<Item = &'static HookMeta>,
) -> (Vec<&'static HookMeta>, HookMap<usize>) {
    let hooks = hooks.into_iter();
    let number = hooks.size_hint().0;
    let mut found: Vec<&'static HookMeta> = Vec::with_capacity(number);
    let mut index =
        HookMap::with_capacity_and_hasher(number, foldhash::fast::RandomState::default());
    let mut add = |found: &mut Vec<_>, hook: &'static HookMeta| {
        index.entry(hook.id).or_insert_with(|| {
            found.push(hook);
            found.len() - 1
        });
    };
    hooks.for_each(|hook| add(&mut found, hook));
    let mut at = 0;
    while let Some(&hook) = found.get(at) {
        hook.needs().chain(hook.before()).chain(hook.of()).for_each(|named| add(&mut found, named));
        at += 1;
    }
    (found, index)
}

/// Returns hooks and the hooks that they name, with the registered teardowns of those that have
/// none among them.
pub(crate) fn with_teardowns(
    hooks: Vec<&'static HookMeta>,
    registered: impl Iterator<Item = &'static HookMeta>,
) -> Vec<&'static HookMeta> {
    let mut teardowns: Vec<_> = registered.filter(|hook| hook.of().is_some()).collect();
    let mut found = hooks;
    loop {
        let (mut all, index) = with_everything_named(found);
        let torn_down: HashSet<_> =
            all.iter().filter_map(|hook| hook.of()).map(|of| of.id).collect();
        let is_due = |teardown: &HookMeta| {
            teardown
                .of()
                .is_some_and(|of| index.contains_key(&of.id) && !torn_down.contains(&of.id))
        };
        let due: Vec<_> = teardowns.extract_if(.., |teardown| is_due(teardown)).collect();
        if due.is_empty() {
            return all;
        }
        all.extend(due);
        // The hooks that a teardown takes may have one as well.
        found = all;
    }
}
