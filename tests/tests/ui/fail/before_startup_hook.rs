//! A shutdown hook before a startup hook.

use lifecycle_runtime::{on_shutdown, on_startup};

#[on_startup]
async fn db() {}

#[on_shutdown(before = [db])]
async fn flush() {}

fn main() {}
