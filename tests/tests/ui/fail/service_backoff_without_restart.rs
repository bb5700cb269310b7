//! A backoff of a service that is never restarted.

use lifecycle_runtime::{on_startup, service};

#[service(backoff = "1s")]
async fn outbox() {}

#[on_startup(after = [outbox])]
async fn cache() {}

fn main() {}
