//! A service that is a startup hook, too.

use lifecycle_runtime::{on_startup, service};

#[service]
#[on_startup]
async fn outbox() {}

#[on_startup(after = [outbox])]
async fn cache() {}

fn main() {}
