//! The key `exclusive` on a hook that can't wait for a predecessor.

use lifecycle_runtime::on_ready;

#[on_ready(exclusive = true)]
async fn announce() {}

fn main() {}
