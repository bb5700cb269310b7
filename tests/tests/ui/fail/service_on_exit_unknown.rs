//! A word that `on_exit` does not know.

use lifecycle_runtime::{on_startup, service};

#[service(on_exit = "panic")]
async fn outbox() {}

#[on_startup(after = [outbox])]
async fn cache() {}

fn main() {}
