//! No signal.

use lifecycle_runtime::on_signal;

#[on_signal]
async fn reload() {}

fn main() {}
