//! An interval shorter than its timeout.

use lifecycle_runtime::health_check;

#[health_check(interval = "1s", timeout = "2s")]
async fn ping() {}

fn main() {}
