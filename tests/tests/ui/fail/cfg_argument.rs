//! An argument that is there only sometimes.

use lifecycle_runtime::{Dep, on_startup};

#[on_startup]
async fn name() -> String {
    "db".to_owned()
}

#[on_startup]
async fn db(#[cfg(unix)] name: Dep<name>) -> u32 {
    #[cfg(unix)]
    println!("{}", *name);
    1
}

#[on_startup]
async fn cache(db: Dep<db>) -> u32 {
    *db
}

fn main() {}
