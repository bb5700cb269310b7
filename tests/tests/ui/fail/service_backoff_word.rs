//! A backoff that is no time.

use lifecycle_runtime::{on_startup, service};

#[service(restart = "always", backoff = "exponential")]
async fn outbox() {}

#[on_startup(after = [outbox])]
async fn cache() {}

fn main() {}
