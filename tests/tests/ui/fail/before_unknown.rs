//! A hook that doesn't exist, in `before`.

use lifecycle_runtime::on_shutdown;

#[on_shutdown]
async fn flush_mail() {}

#[on_shutdown(before = [flush_mial])]
async fn close_mail() {}

fn main() {}
