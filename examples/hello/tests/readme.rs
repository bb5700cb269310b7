//! The README at the root, which shows this program and its output in a terminal.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

const README: &str = include_str!("../../../README.md");

/// A running program, which is killed if the test ends before it does.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

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
        let line = line.replace(".run()", "");
        let is_there = line.starts_with("///") || program.contains(&line);
        assert!(is_there, "no `{line}` in the program");
    }
}

#[test]
fn the_readme_shows_what_the_terminal_shows() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hello"));
    // These variables have other values in containers.
    command.env("LIFECYCLE_GRACE", "25s").env("LIFECYCLE_DRAIN_DELAY", "0s");
    command.env("LIFECYCLE_BIND", "127.0.0.1:0").stdout(Stdio::null()).stderr(Stdio::piped());
    let mut hello = Running(command.spawn().unwrap());
    let mut log = BufReader::new(hello.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut lines: Vec<String> = Vec::new();
    while !lines.last().is_some_and(|line| line.contains("ready after")) {
        lines.push(log.next().expect("it is ready at some time"));
    }

    let address = lines.iter().find_map(|line| line.split_once("http://")).unwrap().1;
    let mut connection = TcpStream::connect(address).unwrap();
    connection.write_all(b"GET / HTTP/1.1\r\nhost: hello\r\nconnection: close\r\n\r\n").unwrap();
    connection.read_to_end(&mut Vec::new()).unwrap();
    let id = hello.0.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    lines.extend(log);

    let shown = shown_from("$ cargo run -q -p hello\n").lines();
    let shown = shown.filter(|line| line.starts_with("lifecycle: ")).map(timeless);
    let lines = lines.iter().map(|line| timeless(line));
    assert_eq!(lines.collect::<Vec<_>>(), shown.collect::<Vec<_>>());
}
