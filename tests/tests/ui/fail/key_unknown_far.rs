//! A key that is like none of the known ones.

use lifecycle_runtime::{Dep, on_startup};

#[on_startup(priority = 3)]
async fn db() -> u32 {
    1
}

#[on_startup]
async fn cache(db: Dep<db>) -> u32 {
    *db
}

fn main() {}
