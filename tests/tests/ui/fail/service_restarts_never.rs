//! Both settings for restarts of a service that is never restarted.

use lifecycle_runtime::{on_startup, service};

#[service(restart = "never", backoff = "1s", max_restarts = "5 in 1m")]
async fn outbox() {}

#[on_startup(after = [outbox])]
async fn cache() {}

fn main() {}
