//! `of` with a string.

use lifecycle_runtime::{on_shutdown, on_startup};

#[on_startup]
async fn db() {}

#[on_shutdown(of = "db")]
async fn close_db() {}

#[on_shutdown(after = [close_db])]
async fn last_words() {}

fn main() {}
