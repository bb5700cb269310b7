//! A startup hook after a shutdown hook.

use lifecycle_runtime::{Dep, on_shutdown, on_startup};

#[on_shutdown]
async fn flush() {}

#[on_startup(after = [flush])]
async fn db() {}

#[on_startup]
async fn cache(db: Dep<db>) {
    let () = *db;
}

fn main() {}
