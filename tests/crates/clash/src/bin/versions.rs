//! Program that depends on a library in two versions.

use std::process::ExitCode;

use lifecycle_runtime::Lifecycle;
use new as _;
use old as _;

fn main() -> ExitCode {
    Lifecycle::new().run()
}
