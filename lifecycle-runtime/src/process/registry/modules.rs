//! Test modules, by which a test sees some of the registered hooks and not others.

use std::cell::Cell;
use std::collections::HashSet;
use std::panic::Location;
use std::sync::OnceLock;

use super::{hooks, test_modules};
use crate::__private::TestModule;
use crate::hook::HookMeta;

thread_local! {
    /// The module of the test under `#[lifecycle_runtime::test]` that runs on this thread.
    static CURRENT: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// Guard that sets the module of the test that runs on this thread, until it is dropped.
pub(crate) struct CurrentModule;

impl CurrentModule {
    pub(crate) fn enter(path: &'static str) -> Self {
        CURRENT.set(Some(path));
        Self
    }
}

impl Drop for CurrentModule {
    fn drop(&mut self) {
        CURRENT.set(None);
    }
}

/// View of a test on the registered hooks: the test modules whose hooks it sees.
#[derive(Debug, Clone, Default)]
pub(crate) struct View {
    modules: Vec<String>,
}

impl View {
    /// Returns the view of the test that runs here: by its module, or else by the caller's file.
    pub(crate) fn from(caller: &'static Location<'static>) -> Self {
        let mut view = Self::default();
        match CURRENT.get() {
            Some(module) => view.add_module(module),
            None => view.add_file(caller),
        }
        view
    }

    /// Adds the hooks that a test in this module sees.
    pub(crate) fn add_module(&mut self, path: &str) {
        self.modules.push(path.to_owned());
    }

    /// Adds the hooks that all tests in the caller's file see, if no module is known.
    pub(crate) fn add_file(&mut self, caller: &'static Location<'static>) {
        if CURRENT.get().is_some() {
            return;
        }
        let tests = tests_of_test_code().filter(|module| module.file == caller.file());
        let tests = tests.map(|module| module.path);
        let own = hooks().filter(|hook| hook.file == caller.file()).filter_map(owner);
        if let Some(module) = tests.chain(own).reduce(common) {
            self.add_module(module);
        }
    }

    /// Returns whether the test sees the hook.
    pub(crate) fn has(&self, hook: &HookMeta) -> bool {
        let Some(owner) = owner(hook) else { return true };
        self.modules.iter().any(|module| is_inside(module, owner))
    }
}

/// Returns the test module that a hook belongs to: the innermost around it that is named after
/// tests, or is of test code and has a test. `None` for a hook of the program, and for what all
/// tests of a program in the `tests/` folder share.
///
/// The root of a crate is no such module: every test of the crate is inside.
pub(crate) fn owner(hook: &HookMeta) -> Option<&'static str> {
    let mut path = hook.module;
    while let Some((outer, name)) = path.rsplit_once("::") {
        if is_named_after_tests(name) || modules_with_tests().contains(path) {
            return Some(path);
        }
        path = outer;
    }
    None
}

fn is_named_after_tests(name: &str) -> bool {
    matches!(name, "tests" | "test") || name.ends_with("_tests") || name.ends_with("_test")
}

/// Returns the modules of test code that have a test.
fn modules_with_tests() -> &'static HashSet<&'static str> {
    static MODULES: OnceLock<HashSet<&str>> = OnceLock::new();
    MODULES.get_or_init(|| tests_of_test_code().map(|module| module.path).collect())
}

/// Returns the modules of tests that stand in test code. A module of the program may have a test
/// beside its hooks, which stay the program's.
fn tests_of_test_code() -> impl Iterator<Item = TestModule> {
    let is_named = |path: &str| path.split("::").skip(1).any(is_named_after_tests);
    test_modules().filter(move |module| module.is_in_tests_folder || is_named(module.path))
}

/// Returns the innermost module that both are inside of.
fn common(one: &'static str, other: &'static str) -> &'static str {
    let mut path = one;
    while !is_inside(other, path) {
        path = path.rsplit_once("::").map_or("", |(outer, _)| outer);
        if path.is_empty() {
            break;
        }
    }
    path
}

/// Returns whether a module is this one or inside of it.
pub(crate) fn is_inside(module: &str, outer: &str) -> bool {
    module.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hook::Kind;
    use crate::hook::id::HookId;
    use crate::hook::task::Task;

    fn owner_of(module: &'static str) -> Option<&'static str> {
        let run = |_| Task::future(async { Err("nothing runs it".into()) });
        owner(&HookMeta::new(HookId::of::<()>(), Kind::Startup, "hook", module, run))
    }

    #[test]
    fn a_hook_belongs_to_the_innermost_test_module() {
        assert_eq!(owner_of("app::store::tests::fakes"), Some("app::store::tests"));
        assert_eq!(owner_of("app::tests::store::test::fakes"), Some("app::tests::store::test"));
        assert_eq!(owner_of("app::store_tests"), Some("app::store_tests"));
    }

    #[test]
    fn hooks_of_the_program_belong_to_no_test() {
        for module in
            ["app", "app::store", "app::testsuite", "app::latest", "tests", "my_tests::store"]
        {
            assert_eq!(owner_of(module), None, "{module}");
        }
    }

    #[test]
    fn two_modules_have_one_around_them() {
        assert_eq!(common("app::tests::a", "app::tests::b"), "app::tests");
        assert_eq!(common("app::tests", "app::tests::b"), "app::tests");
        assert_eq!(common("app::tests::a", "app"), "app");
        assert_eq!(common("app", "other"), "");
    }

    #[test]
    fn a_module_is_inside_of_itself_and_of_those_around_it() {
        assert!(is_inside("app::tests", "app::tests"));
        assert!(is_inside("app::tests::more", "app::tests"));
        assert!(!is_inside("app::tests_of_more", "app::tests") && !is_inside("app", "app::tests"));
    }
}
