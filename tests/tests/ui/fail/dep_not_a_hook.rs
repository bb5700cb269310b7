//! `Dep` of a type that is not a hook.

use lifecycle_runtime::{Dep, on_startup};

#[on_startup]
async fn greeting(name: Dep<String>) -> usize {
    drop(name);
    1
}

#[on_startup]
async fn cache(greeting: Dep<greeting>) -> usize {
    *greeting
}

fn main() {}
