//! A number in quotes.

use lifecycle_runtime::health_check;

#[health_check(failures = "3")]
async fn ping() {}

fn main() {}
