//! The key `exclusive` without a value.

use lifecycle_runtime::on_startup;

#[on_startup(exclusive)]
async fn lock() {}

fn main() {}
