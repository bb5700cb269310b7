//! A hook that takes its own value.

use lifecycle_runtime::{Dep, on_startup};

#[on_startup]
async fn db(db: Dep<db>) -> u32 {
    *db
}

fn main() {}
