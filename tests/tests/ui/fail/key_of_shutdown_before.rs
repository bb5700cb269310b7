//! A key of the other attribute: `before`.

use lifecycle_runtime::{Dep, on_startup};

#[on_startup(before = [cache])]
async fn db() -> u32 {
    1
}

#[on_startup]
async fn cache(db: Dep<db>) -> u32 {
    *db
}

fn main() {}
