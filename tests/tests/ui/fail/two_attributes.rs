//! Two attributes on one function.

use lifecycle_runtime::{Dep, on_shutdown, on_startup};

#[on_startup]
#[on_shutdown]
async fn db() -> u32 {
    1
}

#[on_startup]
async fn cache(db: Dep<db>) -> u32 {
    *db
}

fn main() {}
