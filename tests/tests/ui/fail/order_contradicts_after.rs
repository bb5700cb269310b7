//! An `order`, the default, below that of a hook in `after`.

use lifecycle_runtime::on_shutdown;

#[on_shutdown(order = 10)]
async fn flush() {}

#[on_shutdown(after = [flush])]
async fn report() {}

#[on_shutdown(order = 20, after = [report])]
async fn last_words() {}

fn main() {}
