//! The signal of Ctrl-C, which stops the process.

use lifecycle_runtime::on_signal;

#[on_signal(SIGINT)]
async fn reload() {}

fn main() {}
