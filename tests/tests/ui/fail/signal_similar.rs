//! A signal, misspelt.

use lifecycle_runtime::on_signal;

#[on_signal(SIGHPU)]
async fn reload() {}

fn main() {}
