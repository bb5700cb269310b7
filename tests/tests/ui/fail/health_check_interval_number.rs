//! An interval without a unit.

use lifecycle_runtime::health_check;

#[health_check(interval = 10)]
async fn ping() {}

fn main() {}
