//! No restarts at all.

use lifecycle_runtime::{on_startup, service};

#[service(restart = "always", max_restarts = "0 in 1m")]
async fn outbox() {}

#[on_startup(after = [outbox])]
async fn cache() {}

fn main() {}
