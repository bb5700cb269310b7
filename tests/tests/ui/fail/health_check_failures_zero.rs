//! No failures at all.

use lifecycle_runtime::health_check;

#[health_check(failures = 0)]
async fn ping() {}

fn main() {}
