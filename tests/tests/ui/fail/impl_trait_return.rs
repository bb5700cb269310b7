//! A value of an `impl Trait` type.

use lifecycle_runtime::on_startup;

#[on_startup]
async fn db() -> impl Fn() -> u32 {
    || 1
}

#[on_startup(after = [db])]
async fn cache() {}

fn main() {}
