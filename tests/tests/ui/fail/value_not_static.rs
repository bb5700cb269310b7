//! A body that borrows what it returns.

use lifecycle_runtime::{Dep, on_startup};

#[on_startup]
async fn name() -> String {
    "db".to_owned()
}

#[on_startup]
async fn greeting(name: Dep<name>) -> &'static str {
    name.as_str()
}

fn main() {}
