//! A word without quotes.

use lifecycle_runtime::{on_startup, service};

#[service(restart = always)]
async fn outbox() {}

#[on_startup(after = [outbox])]
async fn cache() {}

fn main() {}
