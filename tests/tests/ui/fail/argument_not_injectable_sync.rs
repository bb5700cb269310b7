//! An argument of a plain function that is not injectable.

use lifecycle_runtime::{Dep, on_startup};

#[on_startup]
fn greeting(port: u16) -> u16 {
    port
}

#[on_startup(after = [greeting])]
fn cache(greeting: Dep<greeting>) -> u16 {
    *greeting
}

fn main() {}
