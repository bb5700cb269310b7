//! An interval shorter than the timeout, which is not given.

use lifecycle_runtime::health_check;

#[health_check(interval = "100ms")]
async fn ping() {}

fn main() {}
