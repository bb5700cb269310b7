//! A backoff of no time.

use lifecycle_runtime::{on_startup, service};

#[service(restart = "always", backoff = "0s")]
async fn outbox() {}

#[on_startup(after = [outbox])]
async fn cache() {}

fn main() {}
