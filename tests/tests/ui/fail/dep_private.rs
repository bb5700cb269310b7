//! A hook that is private to another module.

use lifecycle_runtime::{Dep, on_startup};

mod store {
    #[lifecycle_runtime::on_startup]
    async fn db() -> u32 {
        1
    }
}

#[on_startup]
async fn migrations(pool: Dep<store::db>) -> u32 {
    *pool
}

fn main() {}
