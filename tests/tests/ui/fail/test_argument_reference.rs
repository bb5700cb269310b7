//! A test that borrows its app.

use lifecycle_runtime::testing::TestApp;

#[lifecycle_runtime::test]
async fn it_starts(app: &TestApp) {
    app.stop().await.assert_clean();
}

fn main() {}
