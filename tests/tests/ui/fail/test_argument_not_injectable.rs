//! What can't be taken out of an app.

use lifecycle_runtime::testing::{FromTestApp, TestApp};

fn take(app: &TestApp) -> String {
    <String as FromTestApp>::from_test_app(app)
}

fn main() {
    let _ = take;
}
