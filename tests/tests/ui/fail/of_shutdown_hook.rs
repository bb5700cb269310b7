//! A teardown of a shutdown hook.

use lifecycle_runtime::on_shutdown;

#[on_shutdown]
async fn flush() {}

#[on_shutdown(of = flush)]
async fn close() {}

#[on_shutdown(after = [close])]
async fn last_words() {}

fn main() {}
