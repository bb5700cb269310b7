//! `order`, which hooks of signals do not have.

use lifecycle_runtime::on_signal;

#[on_signal(SIGHUP, order = 1)]
async fn reload() {}

fn main() {}
