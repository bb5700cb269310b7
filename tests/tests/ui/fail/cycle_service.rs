//! A service that uses a hook that waits for it.

use lifecycle_runtime::{Dep, on_startup, service};

#[on_startup(after = [outbox])]
async fn db() {}

#[service]
async fn outbox(db: Dep<db>) {
    let () = *db;
}

fn main() {}
