//! `cfg` above and below the attribute takes away the hook with its function.

#![deny(warnings)]

use lifecycle_runtime::hook::Hook;
use lifecycle_runtime::{Lifecycle, on_shutdown, on_startup};

#[cfg(not(any()))]
#[on_startup]
async fn there_above() {}

#[on_startup]
#[cfg(not(any()))]
fn there_below() {}

#[cfg(any())]
#[on_startup(after = [does_not_exist])]
async fn gone_above() {}

#[on_startup]
#[cfg(any())]
async fn gone_below(value: does::not::Exist) {}

#[on_startup]
#[cfg(any())]
async fn either() -> u32 {
    1
}

#[on_startup]
#[cfg(not(any()))]
fn either() -> &'static str {
    "the other"
}

#[cfg_attr(not(any()), on_shutdown(of = either))]
fn conditionally_a_hook(#[allow(unused)] either: lifecycle_runtime::Dep<either>) {
    assert_eq!(*either, "the other");
}

#[cfg_attr(any(), on_shutdown)]
fn conditionally_none() {}

#[path = "../start_and_stop.rs"]
mod start_and_stop;

fn main() -> std::process::ExitCode {
    conditionally_none();
    let names = Lifecycle::new().plan().map(|plan| plan.hooks().iter().map(|hook| hook.name()).collect::<Vec<_>>());
    let mut names = names.unwrap_or_default();
    names.sort_unstable();
    assert_eq!(names, ["conditionally_a_hook", "either", "there_above", "there_below"]);
    assert_eq!(there_below::META.name(), "there_below");
    start_and_stop::start_and_stop()
}
