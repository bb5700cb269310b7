//! A hook of a signal after one of another.

use lifecycle_runtime::on_signal;

#[on_signal(SIGUSR1)]
async fn rotate() {}

#[on_signal(SIGHUP, after = [rotate])]
async fn reload() {}

fn main() {}
