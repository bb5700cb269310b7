//! `max_restarts` in words of its own.

use lifecycle_runtime::{on_startup, service};

#[service(restart = "always", max_restarts = "5 per minute")]
async fn outbox() {}

#[on_startup(after = [outbox])]
async fn cache() {}

fn main() {}
