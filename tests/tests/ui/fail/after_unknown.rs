//! A hook that doesn't exist, in `after`.

use lifecycle_runtime::{Dep, on_startup};

#[on_startup]
async fn db() {}

#[on_startup(after = [dbb])]
async fn migrations() {}

#[on_startup(after = [migrations])]
async fn cache(migrations: Dep<migrations>) {
    let () = *migrations;
}

fn main() {}
