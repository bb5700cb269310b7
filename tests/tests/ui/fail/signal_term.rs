//! The signal that stops the process.

use lifecycle_runtime::on_signal;

#[on_signal(SIGTERM)]
async fn reload() {}

fn main() {}
