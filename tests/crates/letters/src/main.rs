//! Program of the guide.

use std::process::ExitCode;

fn main() -> ExitCode {
    letters::service().run()
}
