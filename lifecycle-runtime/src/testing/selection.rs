//! Which hooks run in a test, and which have a value instead.

use std::collections::{HashMap, HashSet};
use std::panic::Location;

use crate::hook::{EdgeSource, Edges, HookMeta, Kind};
use crate::id::HookId;
use crate::plan::{missing, with_everything_named};
use crate::task::Value;

/// What a test says of the hooks of its app.
#[derive(Default)]
pub(super) struct Selection {
    pub(super) only: Vec<Named>,
    pub(super) without: Vec<Named>,
    pub(super) replaced: Vec<(Named, Value)>,
    /// Hooks that time stands still for.
    pub(super) real: Vec<Named>,
    /// Hooks that faults and the like are for: they have to be there.
    pub(super) named: Vec<(Named, &'static str)>,
}

/// A hook, and the line of the test that names it.
#[derive(Clone, Copy)]
pub(super) struct Named {
    pub(super) hook: &'static HookMeta,
    pub(super) place: &'static Location<'static>,
}

impl Selection {
    /// The hooks to plan, each naming only such as are planned, too. Those that are expected may be left out.
    pub(super) fn select(
        &self,
        registered: impl IntoIterator<Item = &'static HookMeta>,
        expected: &[String],
    ) -> Result<Vec<&'static HookMeta>, String> {
        self.check_replaced()?;
        let only = self.only.iter().map(|named| named.hook);
        let all = with_everything_named(registered.into_iter().chain(only)).0;
        let without: HashSet<_> = self.without.iter().map(|named| named.hook.id).collect();
        let missing = missing(&all, expected);
        if !missing.is_empty() {
            return Err(missing.join("\n"));
        }
        for Named { hook, place } in &self.without {
            if !all.contains(hook) {
                return Err(format!("{place}: `{}` can't be left out: it is not part of the plan", hook.name()));
            }
        }
        let mut selected = match self.only.is_empty() {
            true => all.clone(),
            false => self.with_needs(&all),
        };
        // A teardown goes with its hook.
        let is_out = |hook: &HookMeta| {
            without.contains(&hook.id) || hook.of().is_some_and(|resource| without.contains(&resource.id))
        };
        selected.retain(|hook| !is_out(hook));
        let there: HashSet<_> = selected.iter().map(|hook| hook.id).collect();
        self.check_needs(&selected, &there)?;
        // What several tests set up alike may be of hooks that not all of them run.
        let is_passed_over =
            |hook: &&HookMeta| !self.only.is_empty() && all.contains(hook) && !without.contains(&hook.id);
        let replaced = self.replaced.iter().map(|(named, _)| (named, "replaced"));
        let set_up = replaced.chain(self.real.iter().map(|named| (named, "given real I/O")));
        let set_up = set_up.filter(|(named, _)| !is_passed_over(&named.hook));
        let named = self.named.iter().map(|(named, what)| (named, *what));
        for (Named { hook, place }, what) in set_up.chain(named) {
            if !there.contains(&hook.id) {
                return Err(format!("{place}: `{}` can't be {what}: it is not part of what runs here", hook.name()));
            }
        }
        Ok(selected.into_iter().map(|hook| edited(hook, &there)).collect())
    }

    /// What has a value instead of running, by hook.
    pub(super) fn values(&self) -> HashMap<HookId, Value> {
        self.replaced.iter().map(|(named, value)| (named.hook.id, value.clone())).collect()
    }

    /// Services that time stands still for as long as they run, if they do.
    pub(super) fn real_services(&self) -> Vec<Named> {
        let is_one = |named: &&Named| named.hook.kind() == Kind::Service && !self.is_replaced(named.hook);
        self.real.iter().filter(is_one).copied().collect()
    }

    fn check_replaced(&self) -> Result<(), String> {
        for (at, (Named { hook, place }, _)) in self.replaced.iter().enumerate() {
            let name = hook.name();
            if !hook.kind().may_be_used() {
                return Err(format!(
                    "{place}: `{name}` can't be replaced: nobody takes the value of an `#[{}]` hook; leave it out by \
                     `without::<{name}>()`",
                    hook.kind()
                ));
            }
            if let Some((first, _)) = self.replaced[..at].iter().find(|(other, _)| other.hook == *hook) {
                return Err(format!("{place}: `{name}` is replaced twice, first at {}", first.place));
            }
        }
        Ok(())
    }

    /// The hooks that the test names, what they need, and the teardowns of all of these.
    fn with_needs(&self, all: &[&'static HookMeta]) -> Vec<&'static HookMeta> {
        let mut found: Vec<_> = self.only.iter().map(|named| named.hook).collect();
        let mut seen: HashSet<_> = found.iter().map(|hook| hook.id).collect();
        let mut at = 0;
        while let Some(&hook) = found.get(at) {
            let teardowns = all.iter().copied().filter(|other| other.of() == Some(hook));
            let needed = self.required(hook).chain(teardowns).filter(|needed| seen.insert(needed.id));
            found.extend(needed.collect::<Vec<_>>());
            at += 1;
        }
        found
    }

    /// What a hook can't do without: not what it only stands behind.
    fn required(&self, hook: &'static HookMeta) -> impl Iterator<Item = &'static HookMeta> {
        let is_real = !self.is_replaced(hook);
        hook.needs().chain(hook.of()).filter(move |needed| is_real && needed.kind().may_be_used())
    }

    fn check_needs(&self, selected: &[&'static HookMeta], there: &HashSet<HookId>) -> Result<(), String> {
        for hook in selected {
            let Some(needed) = self.required(hook).find(|needed| !there.contains(&needed.id)) else { continue };
            let (name, missing) = (hook.name(), needed.name());
            let named = self.without.iter().find(|named| named.hook == needed);
            let place = named.map(|named| format!("{}: ", named.place)).unwrap_or_default();
            return Err(format!(
                "{place}`{missing}` can't be left out: `{name}` ({}) needs it; leave `{name}` out, too, or give \
                 `{missing}` a value by `replace::<{missing}>(…)`",
                hook.place()
            ));
        }
        Ok(())
    }

    fn is_replaced(&self, hook: &HookMeta) -> bool {
        self.replaced.iter().any(|(named, _)| named.hook == hook)
    }
}

/// The hook as it is planned: what is not there it does not name.
fn edited(hook: &'static HookMeta, there: &HashSet<HookId>) -> &'static HookMeta {
    let stays = |named: &HookMeta| there.contains(&named.id) || named.handle.is_some();
    let edges = hook.edges();
    let mut named = edges.arguments.iter().copied().flatten().chain(edges.after).chain(edges.before);
    if named.all(|named| stays(named)) {
        return hook;
    }
    // Metadata lives as long as the process.
    let kept = |list: &'static [&'static HookMeta]| -> &'static [&'static HookMeta] {
        Vec::leak(list.iter().copied().filter(|named| stays(named)).collect())
    };
    let arguments = Vec::leak(edges.arguments.iter().map(|list| kept(list)).collect());
    let edges = Edges { arguments, after: kept(edges.after), before: kept(edges.before), of: edges.of };
    Box::leak(Box::new(HookMeta { edges: EdgeSource::Data(edges), ..*hook }))
}
