//! A first backoff longer than the longest, which is not given.

use lifecycle_runtime::{on_startup, service};

#[service(restart = "always", backoff = "1m")]
async fn outbox() {}

#[on_startup(after = [outbox])]
async fn cache() {}

fn main() {}
