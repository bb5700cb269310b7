//! Selection of the hooks that run in a test, and of those that have a value instead.

use std::collections::{HashMap, HashSet};
use std::panic::Location;

use crate::hook::id::HookId;
use crate::hook::task::Value;
use crate::hook::{Dependencies, Dependency, DependencySource, HookMeta, Kind};
use crate::lifecycle::Lifecycle;
use crate::plan::{missing, with_everything_named};
use crate::process::registry;
use crate::process::registry::modules::{self, View};

/// Instructions of a test for the hooks of its app. The last instruction for a hook counts.
#[derive(Default)]
pub(super) struct Selection {
    /// Registered hooks that the test sees.
    pub(super) view: View,
    /// Modules that the test names, whose hooks it sees as well.
    modules: Vec<(String, &'static Location<'static>)>,
    only: Vec<NamedHook>,
    with: Vec<NamedHook>,
    /// Hooks that `with` named before the test chose a part of the hooks: they run if that part
    /// needs them.
    with_before_only: Vec<NamedHook>,
    without: Vec<NamedHook>,
    replaced: Vec<(NamedHook, Value)>,
    /// Hooks during which time stands still.
    real: Vec<NamedHook>,
    /// Line of the test that makes time stand still for all hooks that end by themselves.
    real_for_all: Option<&'static Location<'static>>,
    /// Hooks that have to be there, as a fault or a signal of the test refers to them.
    involved: Vec<Involved>,
}

/// Hook to which a fault or a signal of the test refers.
struct Involved {
    named: NamedHook,
    /// Participle for the message, such as "given a fault".
    what: &'static str,
    /// Set if the test chose a part of the hooks later: then the hook need not be in that part.
    is_setup: bool,
}

/// Hook, with the line of the test that names it.
#[derive(Clone, Copy)]
pub(super) struct NamedHook {
    pub(super) hook: &'static HookMeta,
    pub(super) place: &'static Location<'static>,
}

/// Instructions, in the order in which the test gives them.
impl Selection {
    pub(super) fn of(view: View) -> Self {
        Self { view, ..Self::default() }
    }

    pub(super) fn only(&mut self, named: NamedHook) {
        self.bring_back(named.hook);
        self.only.push(named);
        self.with_before_only.append(&mut self.with);
        self.involved.iter_mut().for_each(|involved| involved.is_setup = true);
    }

    pub(super) fn with(&mut self, named: NamedHook) {
        self.bring_back(named.hook);
        self.with.push(named);
    }

    pub(super) fn with_module(&mut self, path: String, place: &'static Location<'static>) {
        self.view.add_module(&path);
        self.modules.push((path, place));
    }

    /// Leaves a hook out, and discards earlier instructions for it and its teardown.
    pub(super) fn without(&mut self, named: NamedHook) {
        let stays = |other: &NamedHook| !goes_with(other.hook, named.hook);
        self.replaced.retain(|(other, _)| stays(other));
        self.real.retain(stays);
        self.with.retain(stays);
        self.involved.retain(|involved| stays(&involved.named));
        self.without.push(named);
    }

    pub(super) fn replace(&mut self, named: NamedHook, value: Value) {
        self.bring_back(named.hook);
        self.replaced.retain(|(other, _)| other.hook != named.hook);
        self.replaced.push((named, value));
    }

    pub(super) fn real_io(&mut self, named: NamedHook) {
        self.bring_back(named.hook);
        self.real.push(named);
    }

    pub(super) fn real_io_for_all(&mut self, place: &'static Location<'static>) {
        self.real_for_all = Some(place);
    }

    /// Adds a hook that has to be there, as something refers to it.
    pub(super) fn involve(&mut self, named: NamedHook, what: &'static str) {
        self.bring_back(named.hook);
        self.involved.push(Involved { named, what, is_setup: false });
    }

    fn bring_back(&mut self, hook: &HookMeta) {
        self.without.retain(|named| named.hook != hook);
    }
}

/// Returns whether leaving out `other` also leaves out `hook`: it is the same hook, or its
/// teardown.
pub(super) fn goes_with(hook: &HookMeta, other: &HookMeta) -> bool {
    hook == other || hook.of() == Some(other)
}

impl Selection {
    /// Returns the hooks of a lifecycle that the test sees or names.
    pub(super) fn seen(&self, lifecycle: &Lifecycle) -> Vec<&'static HookMeta> {
        let named = self.only.iter().chain(&self.with).chain(&self.with_before_only);
        let named = named.chain(&self.real);
        let named = named.chain(self.replaced.iter().map(|(named, _)| named));
        let named = named.chain(self.involved.iter().map(|involved| &involved.named));
        let named: HashSet<_> = named.map(|named| named.hook.id).collect();
        lifecycle.hooks(&|hook| self.view.has(hook) || named.contains(&hook.id))
    }

    /// Returns the hooks to plan. Each names only hooks that are planned, too. Even expected hooks
    /// may be left out.
    pub(super) fn select(
        &self,
        seen: Vec<&'static HookMeta>,
        expected: &[String],
    ) -> Result<Vec<&'static HookMeta>, String> {
        self.check_modules()?;
        self.check_replaced()?;
        let named = self.only.iter().chain(&self.with).chain(&self.with_before_only);
        let named = named.map(|named| named.hook);
        let all = with_everything_named(seen.into_iter().chain(named)).0;
        let without: HashSet<_> = self.without.iter().map(|named| named.hook.id).collect();
        let missing = missing(&all, expected);
        if !missing.is_empty() {
            return Err(missing.join("\n"));
        }
        for NamedHook { hook, place } in &self.without {
            if !all.contains(hook) {
                let why = self.why_missing(hook);
                return Err(format!("{place}: `{}` can't be left out: {why}", hook.name()));
            }
        }
        let mut selected = if self.only.is_empty() { all.clone() } else { self.with_needs(&all) };
        // A teardown goes with its hook.
        let is_out = |hook: &HookMeta| {
            without.contains(&hook.id)
                || hook.of().is_some_and(|resource| without.contains(&resource.id))
        };
        selected.retain(|hook| !is_out(hook));
        let there: HashSet<_> = selected.iter().map(|hook| hook.id).collect();
        self.check_needs(&selected, &there)?;
        // A setup that several tests share may refer to hooks that not all of them run.
        let is_passed_over = |hook: &&HookMeta| {
            !self.only.is_empty() && all.contains(hook) && !without.contains(&hook.id)
        };
        let replaced = self.replaced.iter().map(|(named, _)| (named, "replaced"));
        let set_up = replaced.chain(self.real.iter().map(|named| (named, "given real I/O")));
        let involved = self.involved.iter();
        let of_setup = involved.clone().filter(|involved| involved.is_setup);
        let set_up = set_up.chain(of_setup.map(Involved::what));
        let set_up = set_up.filter(|(named, _)| !is_passed_over(&named.hook));
        let involved = involved.filter(|involved| !involved.is_setup).map(Involved::what);
        for (NamedHook { hook, place }, what) in set_up.chain(involved) {
            if !there.contains(&hook.id) {
                return Err(format!(
                    "{place}: `{}` can't be {what}: it is not part of what runs here",
                    hook.name()
                ));
            }
        }
        Ok(selected.into_iter().map(|hook| edited(hook, &there)).collect())
    }

    /// Takes the values of the replaced hooks, by hook, so that nobody else holds them.
    pub(super) fn take_values(&mut self) -> HashMap<HookId, Value> {
        self.replaced.drain(..).map(|(named, value)| (named.hook.id, value)).collect()
    }

    /// Returns the instruction of the test that makes time stand still for a hook.
    pub(super) fn wants_real_io(&self, hook: &'static HookMeta) -> Option<NamedHook> {
        let named = self.real.iter().find(|named| named.hook == hook).copied();
        let place = self.real_for_all.filter(|_| hook.kind() != Kind::Service);
        named.or_else(|| place.map(|place| NamedHook { hook, place }))
    }

    /// Returns the services that make time stand still for as long as they run.
    pub(super) fn real_services(&self) -> Vec<NamedHook> {
        let is_one = |named: &&NamedHook| {
            named.hook.kind() == Kind::Service && !self.is_replaced(named.hook)
        };
        self.real.iter().filter(is_one).copied().collect()
    }

    /// Returns the reason why a hook that the test leaves out is not there.
    fn why_missing(&self, hook: &HookMeta) -> String {
        match modules::owner(hook) {
            Some(owner) if !self.view.has(hook) => {
                format!("it belongs to the tests of `{owner}`, and is not part of this one")
            }
            _ => "it is not part of the plan".to_owned(),
        }
    }

    fn check_modules(&self) -> Result<(), String> {
        for (path, place) in &self.modules {
            let mut owners = registry::hooks().filter_map(modules::owner);
            if !owners.any(|owner| modules::is_inside(path, owner)) {
                return Err(format!(
                    "{place}: no hook belongs to the tests of `{path}`; `with_module` takes the \
                     path of \
                     a test module, as `module_path!()` has it there"
                ));
            }
        }
        Ok(())
    }

    fn check_replaced(&self) -> Result<(), String> {
        for (NamedHook { hook, place }, _) in &self.replaced {
            let name = hook.name();
            if !hook.kind().may_be_used() {
                return Err(format!(
                    "{place}: `{name}` can't be replaced: nobody takes the value of an `#[{}]` \
                     hook; leave it out by \
                     `without::<{name}>()`",
                    hook.kind()
                ));
            }
        }
        Ok(())
    }

    /// Returns the hooks that the test names, what they need, and the teardowns of all of these.
    fn with_needs(&self, all: &[&'static HookMeta]) -> Vec<&'static HookMeta> {
        let mut found: Vec<_> =
            self.only.iter().chain(&self.with).map(|named| named.hook).collect();
        let mut seen: HashSet<_> = found.iter().map(|hook| hook.id).collect();
        let mut at = 0;
        while let Some(&hook) = found.get(at) {
            let teardowns = all.iter().copied().filter(|other| other.of() == Some(hook));
            let needed =
                self.required(hook).chain(teardowns).filter(|needed| seen.insert(needed.id));
            found.extend(needed.collect::<Vec<_>>());
            at += 1;
        }
        found
    }

    /// Returns the hooks without which a hook can't run, not those that it only runs after.
    fn required(&self, hook: &'static HookMeta) -> impl Iterator<Item = &'static HookMeta> {
        let is_real = !self.is_replaced(hook);
        hook.needs().chain(hook.of()).filter(move |needed| is_real && needed.kind().may_be_used())
    }

    fn check_needs(
        &self,
        selected: &[&'static HookMeta],
        there: &HashSet<HookId>,
    ) -> Result<(), String> {
        for hook in selected {
            let Some(needed) = self.required(hook).find(|needed| !there.contains(&needed.id))
            else {
                continue;
            };
            let (name, missing) = (hook.name(), needed.name());
            let named = self.without.iter().find(|named| named.hook == needed);
            let place = named.map(|named| format!("{}: ", named.place)).unwrap_or_default();
            return Err(format!(
                "{place}`{missing}` can't be left out: `{name}` ({}) needs it; leave `{name}` out, \
                 too, or give \
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

impl Involved {
    fn what(&self) -> (&NamedHook, &'static str) {
        (&self.named, self.what)
    }
}

/// Returns the hook as it is planned, without references to hooks that are not there.
fn edited(hook: &'static HookMeta, there: &HashSet<HookId>) -> &'static HookMeta {
    let is_there = |named: &HookMeta| there.contains(&named.id);
    let stays = |needed: &Dependency| needed.hook().is_none_or(is_there);
    let Dependencies { arguments, after, before, of } = hook.dependencies();
    let mut needed = arguments.iter().copied().flatten().chain(after);
    if needed.all(stays) && before.iter().all(|later| is_there(later)) {
        return hook;
    }
    // Metadata lives as long as the process.
    let kept = |list: &'static [Dependency]| -> &'static [Dependency] {
        Vec::leak(list.iter().copied().filter(stays).collect())
    };
    let arguments = Vec::leak(arguments.iter().map(|list| kept(list)).collect());
    let before = Vec::leak(before.iter().copied().filter(|later| is_there(later)).collect());
    let dependencies = Dependencies { arguments, after: kept(after), before, of };
    let dependencies = DependencySource::Data(dependencies);
    Box::leak(Box::new(HookMeta { dependencies, ..*hook }))
}
