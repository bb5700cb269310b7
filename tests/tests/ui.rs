//! What the compiler says about hooks: one mistake per file in `ui/fail`, and what must compile and run in `ui/pass`.
//!
//! `TRYBUILD=overwrite cargo test -p lifecycle-tests --test ui` writes the expected messages anew; read the diff.

#[test]
fn mistakes_are_named_where_they_are() {
    trybuild::TestCases::new().compile_fail("tests/ui/fail/*.rs");
}

#[test]
fn what_is_right_compiles_and_runs() {
    trybuild::TestCases::new().pass("tests/ui/pass/*.rs");
}
