//! Mistakes in the attribute and in the function are all shown.

use lifecycle_runtime::on_startup;

#[on_startup(order = -1)]
unsafe fn db<T>(name: &str) -> impl Sized {
    let _: Option<T> = None;
    name.len()
}

fn main() {}
