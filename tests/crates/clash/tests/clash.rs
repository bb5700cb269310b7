//! Messages of programs that have two hooks of one path.

use std::path::Path;

use lifecycle_runtime::testing::process::Command;

/// Runs a program that has to be refused, and returns its messages.
fn refused(program: &str) -> String {
    let output = Command::new(program).output();
    output.assert_exit_code(2);
    let said: String = output.transcript().stderr().map(|line| format!("{line}\n")).collect();
    said.replace(std::path::MAIN_SEPARATOR, "/")
}

#[track_caller]
fn check(said: &str, parts: &[&str]) {
    let folder = Path::new(file!())
        .parent()
        .and_then(Path::parent)
        .expect("the package")
        .display()
        .to_string();
    for part in parts {
        let part = part.replace("HERE", &folder);
        assert!(said.contains(&part), "no {part} in {said}");
    }
}

#[test]
fn a_file_in_two_targets_is_told_from_two_hooks_in_them() {
    let said = refused(env!("CARGO_BIN_EXE_lifecycle-tests-clash"));
    check(
        &said,
        &[
            "`lifecycle_tests_clash::hooks::db` (HERE/src/hooks.rs:7) and 1 more hook of \
             HERE/src/hooks.rs are compiled twice, into the library and into the binary \
             `lifecycle-tests-clash` of the package `lifecycle-tests-clash`; keep the file in the \
             library only: take `mod hooks;` out of the binary, and write `use \
             lifecycle_tests_clash::hooks;`\n",
            "two hooks have the path `lifecycle_tests_clash::cache`: HERE/src/lib.rs:7 and \
             HERE/src/main.rs:11: one in the library and one in the binary `lifecycle-tests-clash` \
             of the package `lifecycle-tests-clash`, which have one name; rename one of the \
             hooks\n",
        ],
    );
}

#[test]
fn two_versions_of_a_library_are_named() {
    check(
        &refused(env!("CARGO_BIN_EXE_versions")),
        &["two versions of the package `lifecycle-tests-versioned` are linked, 1.0.0 and 2.0.0, \
             and both have the hook `lifecycle_tests_versioned::db`: versions/old/src/lib.rs:5 and \
             versions/new/src/lib.rs:5, and 1 more; have everything depend on one of them: `cargo \
             tree --invert lifecycle-tests-versioned@1.0.0` shows what needs that one\nlifecycle: \
             nothing was started, exit code 2\n"],
    );
}
