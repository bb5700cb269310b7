//! Servers that never open: nothing is torn down before the apps' data and the threads that build
//! the apps are gone.

use std::net::TcpListener;
use std::time::Duration;

use crate::harness::{Ended, Program, Signal, own_address, program};

/// Checks the last lines that the program says.
#[track_caller]
fn expect_last(ended: &Ended, expected: &[&str]) {
    let did = ended.did();
    assert!(did.ends_with(expected), "\n{ended}");
    assert_eq!(did.iter().filter(|line| **line == "close_db").count(), 1, "\n{ended}");
}

#[test]
fn a_signal_while_an_app_is_built_waits_for_it_before_teardowns() {
    let mut program = program!("apps").args("app=wait").start();
    program.wait_until_said("app waits");
    program.signal(Signal::SIGTERM);
    program.wait_for("stopped during the start (SIGTERM)");
    program.wait_for("waiting for a worker thread that builds or drops its app");
    program.tell("app");
    let ended = program.end();
    ended.expect_code(0).expect_not_said(&["failed"]);
    expect_last(&ended, &["app built", "data of rows dropped", "close_db"]);
}

#[test]
fn an_app_that_fails_waits_for_the_others_before_teardowns() {
    let mut program = program!("apps").args("app=wait-or-panic").start();
    program.wait_until_said("app waits");
    program.wait_for("start failed: no app to serve");
    program.wait_for("waiting for a worker thread that builds or drops its app");
    program.tell("app");
    let ended = program.end();
    ended.expect_code(1);
    expect_last(&ended, &["app built", "data of rows dropped", "close_db"]);
}

/// Starts a program whose apps' data takes its time to go, and makes it lose the address that it
/// has bound.
fn lost(address: &str, second: bool) -> (Program, TcpListener) {
    let start = program!("apps").args("app=wait data=wait");
    let start = if second {
        start.without_env("LIFECYCLE_BIND").env("SECOND", address)
    } else {
        start.env("LIFECYCLE_BIND", address)
    };
    let mut program = start.start();
    program.wait_until_said("app waits");
    let other = TcpListener::bind(address).expect("nobody listens yet");
    program.tell("app");
    program.wait_for("start failed: can't listen on");
    (program, other)
}

#[test]
fn a_port_that_is_lost_waits_for_the_data_of_apps_before_teardowns() {
    for second in [false, true] {
        let (mut program, _other) = lost(&own_address(), second);
        program.wait_for("waiting for 2 worker threads that build or drop their apps");
        program.tell("data");
        let ended = program.end();
        ended.expect_code(1);
        expect_last(&ended, &["data of rows dropped", "data of rows dropped", "close_db"]);
    }
}

#[test]
fn an_app_that_is_never_built_is_left_behind_in_time() {
    let start = program!("apps").args("app=hang").env("LIFECYCLE_STARTUP_TIMEOUT", "4s");
    let ended = start.env("LIFECYCLE_GRACE", "8s").end();
    ended.expect_code(1).expect_said(&[
        "start failed: building the app ran into the startup timeout",
        "a worker thread had not ended when the shutdown hooks began",
    ]);
    expect_last(&ended, &["close_db"]);
    ended.expect_took(Duration::from_secs(10)).expect_not_said(&["exit at once"]);
}

#[test]
fn a_second_signal_waits_for_no_app() {
    let mut program = program!("apps").args("app=hang").start();
    program.wait_until_said("app hangs");
    program.signal(Signal::SIGTERM);
    program.wait_for("waiting for a worker thread that builds or drops its app");
    program.signal(Signal::SIGINT);
    let ended = program.end();
    ended.expect_code(3).expect_took(Duration::ZERO).expect_said(&["hurrying"]);
    expect_last(&ended, &["close_db"]);
}
