//! A test that is no function.

#[lifecycle_runtime::test]
struct Test;

fn main() {}
