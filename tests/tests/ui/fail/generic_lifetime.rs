//! A function that is generic over a lifetime.

use lifecycle_runtime::{Dep, on_startup};

#[on_startup]
async fn db<'a>(name: Dep<name>) -> u32 {
    let name: &'a str = *name;
    name.len() as u32
}

#[on_startup]
async fn name() -> &'static str {
    "db"
}

#[on_startup]
async fn cache(db: Dep<db>) -> u32 {
    *db
}

fn main() {}
