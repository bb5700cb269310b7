//! A timeout longer than the interval, which is not given.

use lifecycle_runtime::health_check;

#[health_check(timeout = "30s")]
async fn ping() {}

fn main() {}
