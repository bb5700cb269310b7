//! A word that `restart` knows, misspelt.

use lifecycle_runtime::{on_startup, service};

#[service(restart = "on-failure")]
async fn outbox() {}

#[on_startup(after = [outbox])]
async fn cache() {}

fn main() {}
