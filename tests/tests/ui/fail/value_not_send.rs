//! A value that can't move between threads.

use lifecycle_runtime::{Dep, on_startup};

use std::rc::Rc;

#[on_startup]
async fn db() -> Rc<u32> {
    Rc::new(1)
}

#[on_startup]
async fn cache(db: Dep<db>) -> u32 {
    **db
}

fn main() {}
