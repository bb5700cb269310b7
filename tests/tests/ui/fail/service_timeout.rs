//! `timeout`, which services have under another name.

use lifecycle_runtime::{on_startup, service};

#[service(timeout = "5s")]
async fn outbox() {}

#[on_startup(after = [outbox])]
async fn cache() {}

fn main() {}
