//! Mistakes in bodies are the user's own, and shown as in any function.

use lifecycle_runtime::{Dep, on_startup};

#[on_startup]
async fn db() -> u32 {
    "one"
}

#[on_startup]
fn cache(db: Dep<db>) -> u32 {
    let size: u32 = db;
    size
}

fn main() {}
