//! A signal in quotes.

use lifecycle_runtime::on_signal;

#[on_signal("SIGHUP")]
async fn reload() {}

fn main() {}
