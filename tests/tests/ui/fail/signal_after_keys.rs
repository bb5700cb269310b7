//! A signal after the keys.

use lifecycle_runtime::on_signal;

#[on_signal(timeout = "5s", SIGHUP)]
async fn reload() {}

fn main() {}
