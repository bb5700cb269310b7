//! A function without an attribute, in `after`.

use lifecycle_runtime::on_startup;

async fn db() {}

#[on_startup(after = [db])]
async fn migrations() {
    db().await;
}

fn main() {}
