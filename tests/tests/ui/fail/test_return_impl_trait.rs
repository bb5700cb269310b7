//! A test that does not name what it returns.

#[lifecycle_runtime::test]
async fn it_starts() -> impl std::process::Termination {}

fn main() {}
