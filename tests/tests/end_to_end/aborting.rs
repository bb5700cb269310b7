//! Program that is built with `panic = "abort"`.

use std::path::Path;
use std::process::Command;

use crate::harness::Start;

/// Builds the program, as the profile holds for every crate of a program. (A second run of the test
/// finds it built.)
#[test]
fn a_program_whose_panics_end_the_process_says_so_at_its_start() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("abort");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--locked", "--offline", "--package", "hello"]);
    cargo.args(["--config", "profile.dev.panic = 'abort'"]).arg("--target-dir").arg(&target);
    let built = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo");
    assert!(built.success());
    let hello = target.join("debug").join(format!("hello{}", std::env::consts::EXE_SUFFIX));
    let ended = Start::new(&hello.display().to_string()).start().ready().stop();
    ended.expect_code(0).expect_said(&[
        "built with panic = \"abort\": a panic in a hook or a handler ends the process",
    ]);
}
