//! A cycle of shutdown hooks, one of them a teardown.

use lifecycle_runtime::{on_shutdown, on_startup};

#[on_startup]
async fn db() {}

#[on_shutdown(of = db, after = [flush])]
async fn close_db() {}

#[on_shutdown(after = [close_db])]
async fn flush() {}

fn main() {}
