//! A cycle through an argument of one's own.

use lifecycle_runtime::hook::{Dependency, Hook, Scope};
use lifecycle_runtime::{BoxError, Dep, Inject, on_startup};

struct Backend {
    db: Dep<db>,
}

impl Inject for Backend {
    const DEPENDENCIES: &'static [Dependency] = &[db::DEPENDENCY];

    fn inject(scope: &Scope) -> Result<Self, BoxError> {
        Ok(Self { db: scope.dep()? })
    }
}

#[on_startup]
async fn db(backend: Backend) -> u32 {
    *backend.db
}

fn main() {}
