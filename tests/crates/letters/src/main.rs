//! The program.

use std::process::ExitCode;

fn main() -> ExitCode {
    letters::service().run()
}
