//! An error type that is not an error.

use lifecycle_runtime::{Dep, on_startup};

struct Broken;

#[on_startup]
async fn db() -> Result<u32, Broken> {
    Err(Broken)
}

#[on_startup]
async fn cache(db: Dep<db>) -> u32 {
    *db
}

fn main() {}
