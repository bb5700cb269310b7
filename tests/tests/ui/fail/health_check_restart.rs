//! A key of services.

use lifecycle_runtime::health_check;

#[health_check(restart = "always")]
async fn ping() {}

fn main() {}
