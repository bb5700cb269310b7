//! An interval of no time.

use lifecycle_runtime::health_check;

#[health_check(interval = "0s")]
async fn ping() {}

fn main() {}
