//! `max_restarts` as a number, without a window.

use lifecycle_runtime::{on_startup, service};

#[service(restart = "always", max_restarts = 5)]
async fn outbox() {}

#[on_startup(after = [outbox])]
async fn cache() {}

fn main() {}
