//! A test that is not async.

use lifecycle_runtime::testing::TestApp;

#[lifecycle_runtime::test]
fn it_starts(app: TestApp) {
    drop(app);
}

fn main() {}
