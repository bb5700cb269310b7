//! `order`, which services do not have.

use lifecycle_runtime::{on_startup, service};

#[service(order = 1)]
async fn outbox() {}

#[on_startup(after = [outbox])]
async fn cache() {}

fn main() {}
