//! A generic argument and return value.

use lifecycle_runtime::on_startup;

#[on_startup]
async fn db<T>(value: T) -> T {
    value
}

#[on_startup(after = [db])]
async fn cache() {}

fn main() {}
