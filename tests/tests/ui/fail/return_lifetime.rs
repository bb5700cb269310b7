//! A value that borrows from an argument.

use lifecycle_runtime::{Dep, on_startup};

#[on_startup]
async fn name() -> String {
    "db".to_owned()
}

#[on_startup]
async fn greeting(name: Dep<name>) -> std::borrow::Cow<'_, str> {
    name.as_str().to_owned().into()
}

fn main() {}
