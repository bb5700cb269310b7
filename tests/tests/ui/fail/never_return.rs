//! A function that never returns.

use lifecycle_runtime::on_startup;

#[on_startup]
async fn db() -> ! {
    std::future::pending().await
}

#[on_startup(after = [db])]
async fn cache() {}

fn main() {}
