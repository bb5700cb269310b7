//! A backoff whose first time is its longest.

use lifecycle_runtime::{on_startup, service};

#[service(restart = "always", backoff = "30s..100ms")]
async fn outbox() {}

#[on_startup(after = [outbox])]
async fn cache() {}

fn main() {}
