//! A dependency that doesn't exist; the hook that depends on the broken one adds nothing.

use lifecycle_runtime::{Dep, on_startup};

#[on_startup]
async fn db() -> u32 {
    1
}

#[on_startup]
async fn migrations(db: Dep<dbb>) -> u32 {
    *db
}

#[on_startup(after = [migrations])]
async fn cache(migrations: Dep<migrations>) -> u32 {
    *migrations
}

fn main() {}
