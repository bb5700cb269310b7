//! Another signal that stops the process.

use lifecycle_runtime::on_signal;

#[on_signal(SIGQUIT)]
async fn reload() {}

fn main() {}
