//! A signal that does not exist.

use lifecycle_runtime::on_signal;

#[on_signal(SIGRELOAD)]
async fn reload() {}

fn main() {}
