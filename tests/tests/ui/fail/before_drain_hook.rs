//! A shutdown hook before a drain hook.

use lifecycle_runtime::{on_drain, on_shutdown};

#[on_drain]
async fn withdraw() {}

#[on_shutdown(before = [withdraw])]
async fn flush() {}

fn main() {}
