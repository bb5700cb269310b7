//! A cycle of one hook that takes the other's value, and runs before it.

use lifecycle_runtime::{Dep, on_startup};

#[on_startup(after = [b])]
async fn a() -> u32 {
    1
}

#[on_startup]
fn b(a: Dep<a>) -> u32 {
    *a
}

fn main() {}
