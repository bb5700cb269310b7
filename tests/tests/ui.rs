//! Messages of the compiler about hooks: one mistake for each file in `ui/fail`, and programs that
//! must compile and run in `ui/pass`.
//!
//! `TRYBUILD=overwrite cargo test -p lifecycle-tests --test ui` writes the expected messages anew;
//! read the diff.

use std::process::Command;

/// Version of the compiler whose messages `ui/fail` holds. Others say the same in other words.
const WORDS_OF: &str = "rustc 1.95.";

#[test]
fn mistakes_are_named_where_they_are() {
    let rustc = Command::new("rustc").arg("--version").output().expect("rustc");
    let version = String::from_utf8_lossy(&rustc.stdout);
    if !version.starts_with(WORDS_OF) {
        let version = version.trim_end();
        let reason = format!("the expected messages are those of {WORDS_OF}x, not of {version}");
        return lifecycle_tests::skipped(&reason);
    }
    trybuild::TestCases::new().compile_fail("tests/ui/fail/*.rs");
}

#[test]
fn what_is_right_compiles_and_runs() {
    trybuild::TestCases::new().pass("tests/ui/pass/*.rs");
}
