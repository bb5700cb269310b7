//! A signal in lower case, without its `SIG`.

use lifecycle_runtime::on_signal;

#[on_signal(hup)]
async fn reload() {}

fn main() {}
