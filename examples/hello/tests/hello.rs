//! The whole life of the program: it starts, answers, and says goodbye on SIGTERM.
#![cfg(unix)]

use lifecycle_runtime::testing::process::Command;

#[test]
fn says_hello_and_goodbye() {
    let mut hello = Command::new(env!("CARGO_BIN_EXE_hello")).spawn();
    let response = hello.get("/");
    assert_eq!((response.status, &*response.body), (200, "hello, world\n"));
    hello.stop().assert_exit_code(0).assert_stdout(&["no more hello"]);
}
