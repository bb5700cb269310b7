//! Two signals.

use lifecycle_runtime::on_signal;

#[on_signal(SIGHUP, SIGUSR1)]
async fn reload() {}

fn main() {}
