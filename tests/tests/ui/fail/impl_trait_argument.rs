//! An argument of an `impl Trait` type.

use lifecycle_runtime::{Dep, on_startup};

#[on_startup]
async fn db(name: impl ToString) -> u32 {
    name.to_string().len() as u32
}

#[on_startup]
async fn cache(db: Dep<db>) -> u32 {
    *db
}

fn main() {}
