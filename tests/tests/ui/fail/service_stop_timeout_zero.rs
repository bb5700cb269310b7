//! A `stop_timeout` of no time.

use lifecycle_runtime::{on_startup, service};

#[service(stop_timeout = "0s")]
async fn outbox() {}

#[on_startup(after = [outbox])]
async fn cache() {}

fn main() {}
