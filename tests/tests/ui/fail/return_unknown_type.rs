//! A return type that doesn't exist.

use lifecycle_runtime::{Dep, on_startup};

#[on_startup]
async fn greeting() -> Wording {
    todo!()
}

#[on_startup]
async fn cache(greeting: Dep<greeting>) -> usize {
    std::mem::size_of_val(&*greeting)
}

fn main() {}
