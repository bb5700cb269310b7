//! An argument that is not injectable.

use lifecycle_runtime::{Dep, on_startup};

#[on_startup]
async fn greeting(name: String) -> usize {
    name.len()
}

#[on_startup]
async fn cache(greeting: Dep<greeting>) -> usize {
    *greeting
}

fn main() {}
