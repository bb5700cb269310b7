//! A fake for what is no hook.

use lifecycle_runtime::testing::{TestApp, TestAppBuilder};

fn faked() -> TestAppBuilder {
    TestApp::builder().replace::<String>("a row".to_owned())
}

fn main() {
    let _ = faked;
}
