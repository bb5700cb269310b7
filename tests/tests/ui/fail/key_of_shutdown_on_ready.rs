//! A key of the other attribute: `of` on a ready hook.

use lifecycle_runtime::{Dep, on_ready, on_startup};

#[on_startup]
async fn db() -> u32 {
    1
}

#[on_ready(of = db)]
async fn announce(db: Dep<db>) {
    println!("{}", *db);
}

#[on_ready(after = [announce])]
async fn check() {}

fn main() {}
