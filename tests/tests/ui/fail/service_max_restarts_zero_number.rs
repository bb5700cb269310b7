//! No restarts at all, as a number without a window.

use lifecycle_runtime::{on_startup, service};

#[service(restart = "always", max_restarts = 0)]
async fn outbox() {}

#[on_startup(after = [outbox])]
async fn cache() {}

fn main() {}
