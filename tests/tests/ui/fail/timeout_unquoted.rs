//! A duration without quotes, with its unit.

use lifecycle_runtime::{Dep, on_startup};

#[on_startup(timeout = 5s)]
async fn db() -> u32 {
    1
}

#[on_startup]
async fn cache(db: Dep<db>) -> u32 {
    *db
}

fn main() {}
