//! A test with a type parameter.

use lifecycle_runtime::testing::FromTestApp;

#[lifecycle_runtime::test]
async fn it_starts<T: FromTestApp>(thing: T) {
    drop(thing);
}

fn main() {}
