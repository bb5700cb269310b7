//! A cycle of hooks that run after each other.

use lifecycle_runtime::on_startup;

#[on_startup(after = [b])]
async fn a() {}

#[on_startup(after = [a])]
async fn b() {}

fn main() {}
