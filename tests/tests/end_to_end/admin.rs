//! Listener for operators, as a person with curl sees it.

mod access;
mod documents;
mod events;
mod metrics;

use serde_json::Value;

use crate::harness::{Program, Start, program};
use crate::http::{Connection, Response};

/// Returns the start of a program with the listener on a free port of this machine.
fn start(args: &str) -> Start {
    program!("admin").args(args).env("LIFECYCLE_ADMIN", "127.0.0.1:0")
}

/// Returns the address of the listener.
fn address_of(program: &mut Program) -> String {
    let line = program.wait_for("probes on http://");
    line.rsplit('/').next().expect("a URL").to_owned()
}

/// Sends a request with these lines in its head, and returns the response.
fn ask_with(address: &str, method_and_path: &str, lines: &[&str]) -> Response {
    let mut connection = Connection::to(address).expect("it listens");
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    let head = format!("{method_and_path} HTTP/1.1\r\n{lines}\r\n");
    connection.write(head.as_bytes()).expect("it listens");
    connection.response().expect("a response")
}

fn ask(address: &str, path: &str) -> Response {
    ask_with(address, &format!("GET {path}"), &[&format!("host: {address}")])
}

/// Returns the document at a path.
#[track_caller]
fn document(address: &str, path: &str) -> Value {
    let response = ask(address, path);
    assert_eq!(response.status, 200, "{path}: {}", response.body);
    for header in [
        "\r\ncontent-type: application/json\r\n",
        "\r\nx-content-type-options: nosniff\r\n",
        "\r\ncache-control: no-store\r\n",
    ] {
        assert!(response.head.contains(header), "{path}: {}", response.head);
    }
    serde_json::from_str(&response.body).expect("JSON")
}

/// Asks for a document until it is as expected, and returns it.
#[track_caller]
fn wait_for(program: &mut Program, path: &str, is_expected: impl Fn(&Value) -> bool) -> Value {
    let address = address_of(program);
    program.wait_while(|| !is_expected(&document(&address, path)));
    document(&address, path)
}
