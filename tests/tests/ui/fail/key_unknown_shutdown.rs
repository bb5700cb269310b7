//! A misspelt key of a shutdown hook.

use lifecycle_runtime::on_shutdown;

#[on_shutdown(ordr = 1)]
async fn close_db() {}

#[on_shutdown(after = [close_db])]
async fn last_words() {}

fn main() {}
