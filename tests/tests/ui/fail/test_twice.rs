//! A test that is one already.

#[lifecycle_runtime::test]
#[test]
async fn it_starts() {}

fn main() {}
