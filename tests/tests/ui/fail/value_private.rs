//! A value of a type that is less visible than the hook.

use lifecycle_runtime::{Dep, on_startup};

struct Pool {
    size: u32,
}

#[on_startup]
pub async fn db() -> std::io::Result<Pool> {
    Ok(Pool { size: 1 })
}

#[on_startup]
async fn cache(db: Dep<db>) -> u32 {
    db.size
}

fn main() {}
