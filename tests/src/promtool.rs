//! `promtool`, which comes with Prometheus.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::skipped;

/// Has `promtool check` read a text: `metrics`, `rules` or `config`. Does nothing but say so if it
/// isn't installed.
///
/// # Panics
///
/// If it finds a fault.
#[track_caller]
pub fn check(kind: &str, text: &str) {
    // It reads metrics from its stdin only, and everything else from files only.
    let file = (kind != "metrics").then_some("/dev/stdin");
    let promtool = Command::new("promtool")
        .args(["check", kind])
        .args(file)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut promtool) = promtool else {
        return skipped("promtool is not installed");
    };
    let mut stdin = promtool.stdin.take().expect("it is piped");
    stdin.write_all(text.as_bytes()).expect("it reads");
    drop(stdin);
    let checked = promtool.wait_with_output().expect("it ends");
    let said = [checked.stdout, checked.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    // Advice about metrics is no failure of it.
    let is_fine = checked.status.success() && (file.is_some() || said.is_empty());
    assert!(is_fine, "{said}\n{text}");
}
