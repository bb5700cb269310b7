//! An `order` below that of a dependency.

use lifecycle_runtime::{Dep, on_startup};

#[on_startup(order = 2)]
async fn db() -> u32 {
    1
}

#[on_startup(order = 1)]
async fn migrations(db: Dep<db>) -> u32 {
    *db
}

#[on_startup(order = 3)]
async fn cache(migrations: Dep<migrations>) -> u32 {
    *migrations
}

fn main() {}
