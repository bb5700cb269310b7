//! An argument of a type that doesn't exist.

use lifecycle_runtime::{Dep, on_startup};

#[on_startup]
async fn greeting(name: Wording) -> usize {
    std::mem::size_of_val(&name)
}

#[on_startup]
async fn cache(greeting: Dep<greeting>) -> usize {
    *greeting
}

fn main() {}
