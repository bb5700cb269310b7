//! A hook that is to be a test, too.

use lifecycle_runtime::on_startup;

#[lifecycle_runtime::test]
#[on_startup]
async fn it_starts() {}

fn main() {}
