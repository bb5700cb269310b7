//! A value that borrows from nothing.

use lifecycle_runtime::on_startup;

#[on_startup]
async fn greeting() -> &str {
    "hello"
}

fn main() {}
