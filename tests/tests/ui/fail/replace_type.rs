//! A fake of another type.

use lifecycle_runtime::on_startup;
use lifecycle_runtime::testing::{TestApp, TestAppBuilder};

#[on_startup]
async fn db() -> std::io::Result<Vec<String>> {
    Ok(Vec::new())
}

fn faked() -> TestAppBuilder {
    TestApp::builder().replace::<db>("a row")
}

fn main() {
    let _ = faked;
}
