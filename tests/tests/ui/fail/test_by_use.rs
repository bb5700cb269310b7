//! A plain test where a `use` has taken the name of its attribute.

use lifecycle_runtime::test;

#[test]
fn one_and_one() {
    assert_eq!(1 + 1, 2);
}

fn main() {}
