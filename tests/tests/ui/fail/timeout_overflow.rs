//! A duration that doesn't fit.

use lifecycle_runtime::{Dep, on_startup};

#[on_startup(timeout = "99999999999999999999s")]
async fn db() -> u32 {
    1
}

#[on_startup]
async fn cache(db: Dep<db>) -> u32 {
    *db
}

fn main() {}
