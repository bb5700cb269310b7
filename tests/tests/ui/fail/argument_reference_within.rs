//! A reference within an argument.

use lifecycle_runtime::{Dep, on_startup};

#[on_startup]
async fn greeting(name: Option<&str>) -> bool {
    name.is_some()
}

#[on_startup]
async fn cache(greeting: Dep<greeting>) -> bool {
    *greeting
}

fn main() {}
