//! A key of the other attribute: `before` on a drain hook.

use lifecycle_runtime::{Dep, on_drain, on_startup};

#[on_startup]
async fn db() -> u32 {
    1
}

#[on_drain]
async fn tell() {}

#[on_drain(before = [tell])]
async fn withdraw(db: Dep<db>) {
    println!("{}", *db);
}

fn main() {}
