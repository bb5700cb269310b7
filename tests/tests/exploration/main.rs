//! Tests under every order of their hooks.
//!
//! Each plan has hooks of its own: `Lifecycle::of` runs them and nothing else of this file.

mod counts;
mod edges;
mod injections;
mod seeds;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use lifecycle_runtime::Lifecycle;
use lifecycle_runtime::hook::HookMeta;
use lifecycle_runtime::testing::{Explore, TestApp, TestReport};

/// Returns an exploration of these hooks.
fn of<'t>(hooks: &'t [&'static HookMeta]) -> Explore<'t> {
    Explore::new().setup(|| TestApp::of(Lifecycle::of(hooks.iter().copied())))
}

/// Returns the hooks in the order in which they ended.
fn ended(report: &TestReport) -> Vec<&'static str> {
    report.hooks.iter().map(|ended| ended.hook.name()).collect()
}

/// Returns the message of an exploration that has to fail.
fn failure<T>(explore: impl FnOnce() -> T) -> String {
    let text =
        |panic: Box<dyn Any + Send>| panic.downcast_ref::<String>().cloned().unwrap_or_default();
    catch_unwind(AssertUnwindSafe(explore)).map(drop).map_err(text).expect_err("it fails")
}
