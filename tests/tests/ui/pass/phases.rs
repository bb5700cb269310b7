//! Hooks between the start and the stop: each form, and each kind of edge.

#![deny(warnings)]

use std::io;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering};

use lifecycle_runtime::hook::Scope;
use lifecycle_runtime::{BoxError, Dep, Inject, Stop, StopHandle, on_drain, on_ready, on_shutdown, on_startup};

/// How many of the hooks below have run.
static RUN: AtomicU32 = AtomicU32::new(0);

fn run(number: u32) {
    assert_eq!(RUN.fetch_add(1, Ordering::SeqCst), number);
}

#[on_startup]
async fn registry() -> &'static str {
    "registry.local"
}

struct Registry(Dep<registry>);

impl Inject for Registry {
    const DEPENDENCIES: &'static [lifecycle_runtime::hook::Dependency] = &[<registry as lifecycle_runtime::hook::Hook>::DEPENDENCY];

    fn inject(scope: &Scope) -> Result<Self, BoxError> {
        Ok(Self(scope.dep()?))
    }
}

#[on_ready]
async fn announce(registry: Dep<registry>, stop: Stop) -> io::Result<()> {
    assert!(*registry == "registry.local" && !stop.is_requested());
    run(0);
    Ok(())
}

#[on_ready(after = [announce, registry], timeout = "5s")]
fn check(_handle: StopHandle) -> Result<(), String> {
    run(1);
    Ok(())
}

/// What it returns is for nobody.
#[on_ready(order = 7)]
fn last_check(registry: Registry) -> String {
    run(2);
    registry.0.to_string()
}

#[on_drain(order = 1, after = [withdraw], timeout = "5s")]
fn tell(registry: Registry) {
    assert_eq!(*registry.0, "registry.local");
    run(4);
}

#[on_drain(after = [registry])]
async fn withdraw(stop: Stop) -> Result<(), BoxError> {
    assert!(stop.is_requested() && stop.time_left().is_some());
    run(3);
    Ok(())
}

#[on_shutdown(of = registry)]
async fn close(_registry: Dep<registry>) {
    run(5);
}

#[path = "../start_and_stop.rs"]
mod start_and_stop;

fn main() -> ExitCode {
    let code = start_and_stop::start_and_stop();
    assert_eq!(RUN.load(Ordering::SeqCst), 6);
    code
}
