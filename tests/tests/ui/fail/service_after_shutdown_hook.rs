//! A service after a shutdown hook.

use lifecycle_runtime::{on_shutdown, service};

#[on_shutdown]
async fn flush() {}

#[service(after = [flush])]
async fn outbox() {}

fn main() {}
