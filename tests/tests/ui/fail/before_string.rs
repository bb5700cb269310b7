//! `before` as a string.

use lifecycle_runtime::on_shutdown;

#[on_shutdown(before = "last_words")]
async fn close_db() {}

#[on_shutdown(after = [close_db])]
async fn last_words() {}

fn main() {}
