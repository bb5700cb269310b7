//! `Dep` of a ready hook, which provides no value: where `after` would do, and where it would not.

use lifecycle_runtime::{Dep, on_drain, on_ready};

#[on_ready]
async fn announce() -> u32 {
    1
}

#[on_ready]
async fn check(announce: Dep<announce>) {
    println!("{}", *announce);
}

#[on_drain]
async fn withdraw(announce: Dep<announce>) {
    println!("{}", *announce);
}

fn main() {}
