//! A hook that calls itself.

use lifecycle_runtime::{Dep, on_startup};

#[on_startup]
async fn db() -> u32 {
    db().await
}

#[on_startup]
async fn cache(db: Dep<db>) -> u32 {
    *db
}

fn main() {}
