//! A shutdown hook before a health check.

use lifecycle_runtime::{health_check, on_shutdown};

#[health_check]
async fn ping() {}

#[on_shutdown(before = [ping])]
async fn flush() {}

fn main() {}
