//! A type that is not a hook, in `after`.

use lifecycle_runtime::{Dep, on_startup};

#[on_startup(after = [String])]
async fn greeting() {}

#[on_startup(after = [greeting])]
async fn cache(greeting: Dep<greeting>) {
    let () = *greeting;
}

fn main() {}
