//! A kind of check, misspelt.

use lifecycle_runtime::health_check;

#[health_check(kind = "liveliness")]
async fn ping() {}

fn main() {}
