//! A health check after another: each keeps its own time.

use lifecycle_runtime::health_check;

#[health_check]
async fn ping() {}

#[health_check(after = [ping])]
async fn pong() {}

fn main() {}
