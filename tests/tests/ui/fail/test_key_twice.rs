//! A key that is given twice.

#[lifecycle_runtime::test(start_paused = true, start_paused = false)]
async fn it_starts() {}

fn main() {}
