//! A key that hooks have.

#[lifecycle_runtime::test(timeout = "5s")]
async fn it_starts() {}

fn main() {}
