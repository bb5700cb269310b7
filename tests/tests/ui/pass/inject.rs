//! A type of the user's own as an argument, which bundles what many hooks take.

#![deny(warnings)]

use lifecycle_runtime::hook::{Dependency, Hook, HookMeta, Scope};
use lifecycle_runtime::{BoxError, Dep, Inject, on_shutdown, on_startup};

#[on_startup]
async fn db() -> String {
    "pool".to_owned()
}

#[on_startup]
fn mail() -> u16 {
    25
}

struct Backend {
    db: Dep<db>,
    port: u16,
}

impl Inject for Backend {
    const DEPENDENCIES: &'static [Dependency] = &[db::DEPENDENCY, mail::DEPENDENCY];

    fn inject(scope: &Scope) -> Result<Self, BoxError> {
        Ok(Self { db: scope.dep()?, port: *scope.dep::<mail>()? })
    }
}

#[on_startup]
async fn import(Backend { db, port }: Backend) -> usize {
    db.len() + usize::from(port)
}

#[on_shutdown(of = import)]
fn undo(backend: Backend, import: Dep<import>) {
    assert_eq!((backend.db.as_str(), backend.port, *import), ("pool", 25, 29));
}

#[path = "../start_and_stop.rs"]
mod start_and_stop;

fn main() -> std::process::ExitCode {
    let mut needs: Vec<_> = import::META.needs().map(HookMeta::name).collect();
    needs.sort_unstable();
    assert_eq!(needs, ["db", "mail"]);
    start_and_stop::start_and_stop()
}
