//! The README at the root, which shows this program and its output in a terminal.
#![cfg(unix)]

use lifecycle_runtime::testing::Signal;
use lifecycle_runtime::testing::process::Command;

const README: &str = include_str!("../../../README.md");

/// Returns the README from this line to the end of the block.
fn shown_from(line: &str) -> &'static str {
    let rest = README.split_once(line).unwrap_or_else(|| panic!("no `{line}`")).1;
    rest.split_once("```").expect("the end of the block").0
}

/// Returns a line without the parts that differ each time: the port and the durations.
fn timeless(line: &str) -> String {
    let line = line.split_once("http://").map_or(line, |(before, _)| before);
    for took in [" in ", " after "] {
        if let Some((before, after)) = line.split_once(took) {
            let rest = after.split_once([',', ':']).map_or("", |(_, rest)| rest);
            return format!("{before}{took}…{rest}");
        }
    }
    line.to_owned()
}

#[test]
fn the_readme_shows_the_program() {
    let program = include_str!("../src/main.rs");
    for line in shown_from("```rust,no_run\n").lines() {
        assert!(line.starts_with("///") || program.contains(line), "no `{line}` in the program");
    }
    assert!(program.ends_with(shown_from("```rust,ignore\n")), "the test is another one");
}

#[test]
fn the_readme_shows_what_the_terminal_shows() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hello"));
    // These variables have other values in containers.
    command.env("LIFECYCLE_GRACE", "25s").env("LIFECYCLE_DRAIN_DELAY", "0s");
    command.env_remove("LIFECYCLE_ADMIN");
    let mut hello = command.spawn();
    hello.wait_for_line("ready after");
    hello.get("/");
    hello.signal(Signal::SIGINT);
    let output = hello.wait();

    let shown = shown_from("$ cargo run -q -p hello\n").lines();
    let shown = shown.filter(|line| line.starts_with("lifecycle: ")).map(timeless);
    let lines = output.transcript().stderr().map(timeless);
    assert_eq!(lines.collect::<Vec<_>>(), shown.collect::<Vec<_>>());
}
