//! A type that is not a hook, in `before`.

use lifecycle_runtime::on_shutdown;

#[on_shutdown(before = [String])]
async fn close_db() {}

fn main() {}
