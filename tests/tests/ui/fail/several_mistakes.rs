//! Several mistakes in one attribute are all shown.

use lifecycle_runtime::{Dep, on_startup};

#[on_startup(ordr = 1, timeout = "5 s", after = "db", of = db, order = -1)]
async fn db() -> u32 {
    1
}

#[on_startup]
async fn cache(db: Dep<db>) -> u32 {
    *db
}

fn main() {}
