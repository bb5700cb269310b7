//! A word that `restart` does not know.

use lifecycle_runtime::{on_startup, service};

#[service(restart = "sometimes")]
async fn outbox() {}

#[on_startup(after = [outbox])]
async fn cache() {}

fn main() {}
