//! Start that ends early: what had started is torn down, and nothing else; the port never opens;
//! the reason is reported.

use std::net::TcpStream;
use std::time::Duration;

use crate::harness::{Ended, Signal, own_address, program};
use crate::{STARTED, STOPPED, serve};

const CHAIN: &str = "failed: can't open the store: page 7 is unreadable: the disk is on fire";

/// Returns `file:line` of a hook of `service`.
fn place(hook: &str) -> String {
    let source = include_str!("../../src/bin/service.rs");
    let line =
        source.lines().position(|line| line.contains(&format!("fn {hook}("))).expect("it is there")
            + 1;
    format!("hook `{hook}` (tests/src/bin/service.rs:{line})")
}

/// Runs `service` with a fault in its start.
fn failed(args: &str) -> Ended {
    let ended = program!("service").args(args).end();
    ended
        .expect_code(1)
        .expect_not_said(&["listening", "ready"])
        .expect_said(&["start failed: ", "exit code 1"]);
    ended
}

#[test]
fn an_error_names_the_hook_its_place_and_every_cause() {
    let ended = failed("db=fail");
    ended.expect_did(&["db"]).expect_said(&[&format!("start failed: {} {CHAIN}", place("db"))]);
    // The message appears only once. The last word is the exit code.
    assert_eq!(ended.stderr().matches(CHAIN).count(), 1, "{ended}");
    assert!(ended.stderr().trim_end().ends_with("failed: db, exit code 1"), "{ended}");
}

#[test]
fn exactly_what_had_started_is_torn_down() {
    let ended = failed("db=fail");
    ended.expect_did(&["db"]).expect_said(&[
        "flush skipped: ",
        "audit skipped: ",
        "close_db skipped: ",
    ]);
    failed("cache=fail").expect_did(&["db", "cache", "close_db"]);
    failed("stove=fail oven cool").expect_did(&[&STARTED[..], &["stove"], &STOPPED].concat());
    let ended = failed("oven=fail cool");
    assert!(ended.did().contains(&"cool"), "{ended}");
}

#[test]
fn a_panic_is_a_failure() {
    failed("db=panic")
        .expect_did(&["db"])
        .expect_said(&[&format!("{} panicked: db has no idea", place("db"))]);
    let ended = failed("cache=panic");
    ended
        .expect_did(&["db", "cache", "close_db"])
        .expect_said(&[&format!("{} panicked: ", place("cache"))]);
}

#[test]
fn a_failure_cancels_what_runs_beside_it() {
    let mut program = program!("service").args("beside=hang warm=fail").start();
    program.wait_for("exit code 1");
    let ended = program.end();
    ended.expect_code(1);
    // Either of the two may begin first.
    let mut started: Vec<_> = ended.did();
    let stopped = started.split_off(started.len() - STOPPED.len());
    assert_eq!(stopped, STOPPED, "\n{ended}");
    assert!(started.contains(&"warm"), "\n{ended}");
    assert_eq!(started.contains(&"beside"), started.contains(&"beside dropped"), "\n{ended}");
}

#[test]
fn a_failure_after_the_first_is_told_too() {
    let mut program = program!("service").args("beside_blocking=wait-fail warm=wait").start();
    program.wait_until_said("beside_blocking");
    program.wait_until_said("warm");
    program.signal(Signal::SIGTERM);
    program.wait_for("stopped during the start");
    program.tell("beside_blocking");
    let ended = program.end();
    let beside = place("beside_blocking");
    ended
        .expect_code(3)
        .expect_said(&["stopped during the start (SIGTERM)", &format!("{beside} {CHAIN}")]);
}

#[test]
fn a_timeout_is_a_failure() {
    let ended = failed("timed=hang");
    ended.expect_did(&[&STARTED[..], &["timed", "timed dropped"], &STOPPED].concat());
    ended.expect_said(&[&format!("{} ran into its timeout and was cancelled", place("timed"))]);

    let ended = failed("timed_blocking=hang");
    ended.expect_did(&[&STARTED[..], &["timed_blocking"], &STOPPED].concat());
    ended.expect_said(&[&format!(
        "{} ran into its timeout, did not end and was abandoned",
        place("timed_blocking")
    )]);
    ended.expect_took(Duration::from_millis(500));
}

#[test]
fn an_app_whose_data_can_not_be_made_says_where_to_look() {
    let ended = program!("service").args("app=data").start().end();
    ended.expect_code(1).expect_did(&[&STARTED[..], &STOPPED].concat());
    ended.expect_said(&["start failed: no app to serve: a `data_factory` or a middleware of the \
                         app failed to start"]);
}

#[test]
fn an_app_that_can_not_be_built_is_a_failed_start() {
    let ended = program!("service").args("app=panic").start().end();
    ended
        .expect_code(1)
        .expect_did(&[&STARTED[..], &STOPPED].concat())
        .expect_not_said(&["listening"]);
    ended.expect_said(&[
        "the app has no idea",
        "start failed: no app to serve: building it panicked",
    ]);
}

#[test]
fn an_app_that_is_never_built_is_a_failed_start() {
    let program = program!("service").args("app=hang").env("LIFECYCLE_STARTUP_TIMEOUT", "4s");
    // The thread that builds the app has the rest of the grace period.
    let ended = program.env("LIFECYCLE_GRACE", "6s").end();
    ended.expect_code(1).expect_not_said(&["listening"]).expect_took(Duration::from_secs(4));
    ended.expect_did(&[&STARTED[..], &["app hangs"], &STOPPED].concat());
    ended.expect_said(&["start failed: building the app ran into the startup timeout"]);
}

#[test]
fn a_signal_ends_the_start_while_an_app_is_being_built() {
    let mut program = program!("service").args("app=hang").env("LIFECYCLE_GRACE", "6s").start();
    program.wait_until_said("app hangs");
    let ended = program.stop();
    ended
        .expect_code(3)
        .expect_did(&[&STARTED[..], &["app hangs"], &STOPPED].concat())
        .expect_said(&["stopped during the start (SIGTERM)"]);
}

#[test]
fn the_whole_start_has_a_timeout() {
    let program = program!("service").args("warm=hang").env("LIFECYCLE_STARTUP_TIMEOUT", "4s");
    let ended = program.end();
    ended.expect_code(1).expect_took(Duration::from_secs(4));
    ended.expect_did(&[&STARTED[..], &["warm dropped"], &STOPPED].concat());
    ended.expect_said(&[&format!(
        "{} ran into the startup timeout and was cancelled",
        place("warm")
    )]);
    ended.expect_not_said(&["listening"]);
}

#[test]
fn a_signal_cancels_the_start() {
    for (hook, did) in [
        ("db", &["db", "db dropped"][..]),
        (
            "warm",
            &["db", "cache", "warm", "warm dropped", "flush", "audit", "cache dropped", "close_db"],
        ),
    ] {
        let mut program = program!("service").args(&format!("{hook}=hang timed")).start();
        program.wait_until_said(hook);
        program.signal(Signal::SIGINT);
        let ended = program.end();
        ended.expect_code(0).expect_did(did).expect_took(Duration::ZERO);
        ended
            .expect_not_said(&["listening", "failed"])
            .expect_said(&["stopped during the start (SIGINT)"]);
    }
}

#[test]
fn a_signal_waits_for_a_hook_that_cannot_be_cancelled() {
    let mut program = program!("service").args("cache=wait").start();
    program.wait_until_said("cache");
    program.signal(Signal::SIGTERM);
    program.wait_for("waiting for cache");
    program.tell("cache");
    // The hook has succeeded after all, so its value is torn down.
    program.end().expect_code(0).expect_did(&[&["db", "cache"], &STOPPED[..]].concat());
}

#[test]
fn a_second_signal_leaves_such_a_hook_behind() {
    let mut program = program!("service").args("cache=hang").start();
    program.wait_until_said("cache");
    program.signal(Signal::SIGTERM);
    program.wait_for("stopped during the start");
    program.signal(Signal::SIGTERM);
    let ended = program.end();
    ended.expect_code(3).expect_did(&["db", "cache", "close_db"]).expect_took(Duration::ZERO);
    ended.expect_said(&["cache was cancelled, did not end and was abandoned"]);
}

#[test]
fn the_port_opens_after_the_last_startup_hook() {
    let address = own_address();
    let mut program = program!("service").args("warm=wait").env("LIFECYCLE_BIND", &address).start();
    program.wait_until_said("warm");
    let refused = TcpStream::connect(&address).expect_err("nothing listens yet");
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    program.tell("warm");
    assert_eq!(program.address(), address);
    TcpStream::connect(&address).expect("now it does");
    program.stop().expect_code(0);
}

#[test]
fn hooks_learn_which_port_was_taken() {
    let mut program = serve("announce").start();
    let address = program.address();
    program.wait_until_said(&format!("at http://{address}"));
    program.stop().expect_code(0);
}
