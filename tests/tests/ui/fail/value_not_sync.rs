//! A value that threads can't share, in a `Result`.

use lifecycle_runtime::{Dep, on_startup};

use std::cell::Cell;

#[on_startup]
fn db() -> std::io::Result<Cell<u32>> {
    Ok(Cell::new(1))
}

#[on_startup]
fn cache(db: Dep<db>) -> u32 {
    db.get()
}

fn main() {}
