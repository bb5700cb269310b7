//! A function without an attribute, in `Dep`.

use lifecycle_runtime::{Dep, on_startup};

fn db() -> u32 {
    1
}

#[on_startup]
async fn migrations(pool: Dep<db>) -> u32 {
    *pool + db()
}

fn main() {}
