//! A cycle of hooks that take each other's values.

use lifecycle_runtime::{Dep, on_startup};

#[on_startup]
async fn a(c: Dep<c>) -> u32 {
    *c
}

#[on_startup]
async fn b(a: Dep<a>) -> u32 {
    *a
}

#[on_startup]
async fn c(b: Dep<b>) -> u32 {
    *b
}

#[on_startup]
async fn outside(a: Dep<a>) -> u32 {
    *a
}

fn main() {}
