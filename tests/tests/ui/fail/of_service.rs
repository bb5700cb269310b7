//! A teardown of a service, which ends by itself.

use lifecycle_runtime::{on_shutdown, service};

#[service]
async fn outbox() {}

#[on_shutdown(of = outbox)]
async fn close() {}

fn main() {}
