//! An error that can't move between threads.

use lifecycle_runtime::{Dep, on_startup};

#[on_startup]
async fn db() -> Result<u32, Box<dyn std::error::Error>> {
    Ok(1)
}

#[on_startup]
async fn cache(db: Dep<db>) -> u32 {
    *db
}

fn main() {}
