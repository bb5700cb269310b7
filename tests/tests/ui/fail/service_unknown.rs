//! A service that does not exist.

use lifecycle_runtime::{on_startup, service};

#[service]
async fn outbox() {}

#[on_startup(after = [outbax])]
async fn cache() {}

fn main() {}
