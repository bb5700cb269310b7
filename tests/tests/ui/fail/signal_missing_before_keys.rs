//! Keys, but no signal.

use lifecycle_runtime::on_signal;

#[on_signal(timeout = "5s")]
async fn reload() {}

fn main() {}
