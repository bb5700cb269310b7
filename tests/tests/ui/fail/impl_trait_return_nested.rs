//! A value of an `impl Trait` type in a `Result`.

use lifecycle_runtime::on_startup;

#[on_startup]
async fn db() -> std::io::Result<impl Fn() -> u32> {
    Ok(|| 1)
}

#[on_startup(after = [db])]
async fn cache() {}

fn main() {}
