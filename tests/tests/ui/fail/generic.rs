//! A generic function.

use lifecycle_runtime::{Dep, on_startup};

#[on_startup]
async fn db<T: Default>() -> u32 {
    let _ = T::default();
    1
}

#[on_startup]
async fn cache(db: Dep<db>) -> u32 {
    *db
}

fn main() {}
