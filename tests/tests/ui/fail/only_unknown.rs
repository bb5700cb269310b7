//! A hook that does not exist.

use lifecycle_runtime::on_startup;
use lifecycle_runtime::testing::{TestApp, TestAppBuilder};

#[on_startup]
async fn database() {}

fn part() -> TestAppBuilder {
    TestApp::builder().only::<databse>()
}

fn main() {
    let _ = part;
}
