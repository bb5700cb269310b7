//! A window of no time.

use lifecycle_runtime::{on_startup, service};

#[service(restart = "always", max_restarts = "5 in 0s")]
async fn outbox() {}

#[on_startup(after = [outbox])]
async fn cache() {}

fn main() {}
