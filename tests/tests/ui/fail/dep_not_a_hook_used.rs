//! `Dep` of a type that is not a hook, and a use of the value that it hasn't.

use lifecycle_runtime::{Dep, on_startup};

#[on_startup]
async fn greeting(name: Dep<String>) -> usize {
    name.len()
}

fn main() {}
