//! An `order` in quotes.

use lifecycle_runtime::{Dep, on_startup};

#[on_startup(order = "1")]
async fn db() -> u32 {
    1
}

#[on_startup]
async fn cache(db: Dep<db>) -> u32 {
    *db
}

fn main() {}
