//! Binary that declares `hooks` once more instead of using the library's.

use std::process::ExitCode;

use lifecycle_runtime::{Lifecycle, on_startup};
use lifecycle_tests_clash as _;

mod hooks;

#[on_startup]
async fn cache() {}

fn main() -> ExitCode {
    Lifecycle::new().run()
}
