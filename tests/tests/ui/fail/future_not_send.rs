//! A future that can't move between threads.

use lifecycle_runtime::{Dep, on_startup};

use std::rc::Rc;

#[on_startup]
async fn db() -> u32 {
    let shared = Rc::new(1);
    std::future::ready(()).await;
    *shared
}

#[on_startup]
async fn cache(db: Dep<db>) -> u32 {
    *db
}

fn main() {}
