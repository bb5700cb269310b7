//! A key that is nearly one.

#[lifecycle_runtime::test(paused = false)]
async fn it_starts() {}

fn main() {}
