//! A value that borrows.

use lifecycle_runtime::{Dep, on_startup};

#[on_startup]
async fn db<'a>() -> &'a str {
    "db"
}

#[on_startup]
async fn cache(db: Dep<db>) -> usize {
    db.len()
}

fn main() {}
