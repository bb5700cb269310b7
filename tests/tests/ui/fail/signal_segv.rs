//! A signal of a fault in the program.

use lifecycle_runtime::on_signal;

#[on_signal(SIGSEGV)]
async fn reload() {}

fn main() {}
