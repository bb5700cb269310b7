//! A kind of check that does not exist.

use lifecycle_runtime::health_check;

#[health_check(kind = "health")]
async fn ping() {}

fn main() {}
