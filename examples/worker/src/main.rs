//! `cargo run -p worker`: see the README beside it.

use std::process::ExitCode;

fn main() -> ExitCode {
    worker::worker().run()
}
