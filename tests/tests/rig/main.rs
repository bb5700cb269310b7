//! Measurements of the rig of the distance tests.

#[cfg(target_os = "linux")]
mod measured;

/// Passes elsewhere, where the tests of a rig are not even compiled.
#[cfg(not(target_os = "linux"))]
#[test]
fn rigs_need_linux() {
    use std::io::Write;

    let tests = "the tests `rig`, `distance` and `distance_soak`";
    writeln!(std::io::stderr(), "SKIPPED, network namespaces are there on Linux only: {tests}")
        .expect("a stderr");
}
