//! A signal as a path.

use lifecycle_runtime::on_signal;

#[on_signal(libc::SIGHUP)]
async fn reload() {}

fn main() {}
