//! A `before` that contradicts an `order`.

use lifecycle_runtime::on_shutdown;

#[on_shutdown(order = 2, before = [report])]
async fn flush() {}

#[on_shutdown(order = 1)]
async fn report() {}

fn main() {}
