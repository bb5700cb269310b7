//! A backoff without an end.

use lifecycle_runtime::{on_startup, service};

#[service(restart = "always", backoff = "100ms..")]
async fn outbox() {}

#[on_startup(after = [outbox])]
async fn cache() {}

fn main() {}
