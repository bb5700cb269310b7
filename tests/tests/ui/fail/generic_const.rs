//! A function that is generic over a constant.

use lifecycle_runtime::{Dep, on_startup};

#[on_startup]
async fn db<const SIZE: u32>() -> u32 {
    SIZE
}

#[on_startup]
async fn cache(db: Dep<db>) -> u32 {
    *db
}

fn main() {}
