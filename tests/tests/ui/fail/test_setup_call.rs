//! A setup that is called.

use lifecycle_runtime::testing::{TestApp, TestAppBuilder};

fn faked() -> TestAppBuilder {
    TestApp::builder()
}

#[lifecycle_runtime::test(setup = faked())]
async fn it_starts() {}

fn main() {
    let _ = faked;
}
