//! `restart` without a value.

use lifecycle_runtime::{on_startup, service};

#[service(restart)]
async fn outbox() {}

#[on_startup(after = [outbox])]
async fn cache() {}

fn main() {}
