//! Binary of the worker: `cargo run -p worker`. The README beside it describes it.

use std::process::ExitCode;

fn main() -> ExitCode {
    worker::worker().run()
}
