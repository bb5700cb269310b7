//! A hook that runs after itself.

use lifecycle_runtime::on_startup;

#[on_startup(after = [db])]
async fn db() {}

fn main() {}
