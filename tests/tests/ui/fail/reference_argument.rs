//! An argument by reference.

use lifecycle_runtime::{Dep, on_startup};

#[on_startup]
async fn name() -> String {
    "db".to_owned()
}

#[on_startup]
async fn db(name: &Dep<name>) -> u32 {
    name.len() as u32
}

#[on_startup]
async fn cache(db: Dep<db>) -> u32 {
    *db
}

fn main() {}
