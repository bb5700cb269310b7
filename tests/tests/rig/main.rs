//! Measurements of the rig of the distance tests.

#[cfg(target_os = "linux")]
mod measured;

/// Passes elsewhere, where the tests of a rig are not even compiled.
#[cfg(not(target_os = "linux"))]
#[test]
fn rigs_need_linux() {
    let tests = "the tests `rig`, `distance` and `distance_soak`";
    lifecycle_tests::skipped(&format!("network namespaces are there on Linux only: {tests}"));
}
