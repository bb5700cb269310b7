//! A teardown of itself.

use lifecycle_runtime::on_shutdown;

#[on_shutdown(of = close_db)]
async fn close_db() {}

fn main() {}
