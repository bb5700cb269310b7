//! A signal that no program gets.

use lifecycle_runtime::on_signal;

#[on_signal(SIGKILL)]
async fn reload() {}

fn main() {}
