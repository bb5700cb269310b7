//! Another signal that no program gets.

use lifecycle_runtime::on_signal;

#[on_signal(SIGSTOP)]
async fn reload() {}

fn main() {}
