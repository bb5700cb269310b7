//! A health check that says how it went by a value, which would always be a success.

use lifecycle_runtime::{Dep, health_check, on_startup};

#[on_startup]
async fn db() -> bool {
    true
}

#[health_check(interval = "5s")]
async fn db_ok(db: Dep<db>) -> bool {
    *db
}

fn main() {}
