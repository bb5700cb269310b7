//! A teardown of a hook that runs after it.

use lifecycle_runtime::on_shutdown;

#[on_shutdown(of = flush)]
async fn close_db() {}

#[on_shutdown(after = [close_db])]
async fn flush() {}

fn main() {}
