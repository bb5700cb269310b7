//! Code that can't be cancelled: the process is gone by its grace period all the same, and not before.

use std::time::Duration;

use crate::STARTED;
use crate::harness::{Signal, program};
use crate::http::{Connection, Lost};

const GRACE: Duration = Duration::from_secs(2);

/// Line of a process that ends before its run.
const BITTEN: &str = "exit at once";

#[test]
fn a_blocked_runtime_in_the_stop_is_gone_by_grace() {
    let program = program!("service").args("flush=block").env("LIFECYCLE_GRACE", "2s");
    let ended = program.start().ready().stop();
    ended.expect_code(3).expect_took(GRACE).expect_did(&[&STARTED[..], &["flush", "flush blocks"]].concat());
    ended.expect_said(&["the grace period of 2 s is over, exit at once: still running: flush", "exit code 3"]);
}

#[test]
fn a_blocked_runtime_in_the_start_is_gone_by_grace_after_a_signal() {
    let mut program = program!("service").args("warm=block").env("LIFECYCLE_GRACE", "2s").start();
    program.wait_until_said("warm blocks");
    program.signal(Signal::SIGTERM);
    let ended = program.end();
    ended.expect_code(1).expect_took(GRACE).expect_did(&[&STARTED[..], &["warm blocks"]].concat());
    ended.expect_said(&["exit at once: still running: warm", "exit code 1"]).expect_not_said(&["listening"]);
}

#[test]
fn a_blocked_runtime_in_the_start_is_gone_by_its_timeout_and_grace() {
    let program = program!("service").args("warm=block").env("LIFECYCLE_GRACE", "2s");
    let ended = program.env("LIFECYCLE_STARTUP_TIMEOUT", "4s").end();
    ended
        .expect_code(1)
        .expect_took(Duration::from_secs(4) + GRACE)
        .expect_did(&[&STARTED[..], &["warm blocks"]].concat());
    ended.expect_said(&["exit at once: still running: warm", "exit code 1"]).expect_not_said(&["listening"]);
}

#[test]
fn a_hook_that_blocks_one_thread_keeps_no_other_from_running() {
    let program = program!("service").args("flush=block-one").env("LIFECYCLE_GRACE", "4s");
    let ended = program.start().ready().stop();
    ended.expect_code(3).expect_took(Duration::ZERO);
    ended.expect_did(&[&STARTED[..], &["flush", "audit", "close_db"]].concat());
    ended.expect_said(&["flush", "did not end and was abandoned"]);
}

#[test]
fn a_handler_that_blocks_its_worker_is_cut_off_by_grace() {
    let mut program = program!("service").env("LIFECYCLE_GRACE", "5s").start();
    let mut client = Connection::to(&program.address()).expect("it listens");
    client.send("GET /block").expect("it listens");
    program.wait_until_said("block");
    let ended = program.stop();
    assert!(matches!(client.response(), Err(Lost::Unanswered)));
    ended.expect_code(3).expect_said(&["request cut off: GET /block"]);
    ended.expect_did(&[&STARTED[..], &["block", "flush", "audit", "cache dropped", "close_db"]].concat());
    ended.expect_not_said(&[BITTEN]);
}

#[test]
fn a_worker_that_is_blocked_for_ever_is_told_of() {
    let mut program = program!("routes").env("LIFECYCLE_GRACE", "5s").start();
    let mut client = Connection::to(&program.address()).expect("it listens");
    client.send("GET /block").expect("it listens");
    program.wait_until_said("block");
    let ended = program.stop();
    // Somebody has to know that the teardown ran beside it.
    ended.expect_code(3).expect_said(&["request cut off: GET /block", "worker"]);
    ended.expect_did(&["block", "flush", "close_db"]);
    ended.expect_not_said(&[BITTEN]);
}

#[test]
fn a_blocked_worker_keeps_the_other_from_nothing() {
    let mut program = program!("routes").env("LIFECYCLE_GRACE", "5s").start();
    let address = program.address();
    // They are given to the workers in turn, so some of these are on the other one.
    let mut clients: Vec<_> = (0..4).map(|_| Connection::to(&address).expect("it listens")).collect();
    clients[0].send("GET /block").expect("it listens");
    program.wait_until_said("block");
    clients[1].send("GET /held/other").expect("it listens");
    program.wait_until_said("held other");
    program.signal(Signal::SIGTERM);
    program.wait_for("stopping");
    program.tell("other");
    assert_eq!(clients[1].response().expect("a response").body, "other");
    let ended = program.end();
    ended.expect_code(3).expect_said(&["request cut off: GET /block", "1 request finished, 1 cut off"]);
    ended.expect_not_said(&[BITTEN]);
}

#[test]
fn a_teardown_waits_for_a_blocking_closure_that_outlives_its_request() {
    let mut program = program!("routes").env("LIFECYCLE_DRAIN_TIMEOUT", "1s").start();
    let mut client = Connection::to(&program.address()).expect("it listens");
    client.send("GET /blocking/long").expect("it listens");
    program.wait_until_said("blocking");
    program.signal(Signal::SIGTERM);
    assert!(matches!(client.response(), Err(Lost::Unanswered)));
    // The request is cut. What the stop waits for now is the closure.
    program.wait_for("worker");
    program.tell("long");
    let ended = program.end();
    ended.expect_code(3).expect_said(&["request cut off: GET /blocking/long "]);
    let did = ended.did();
    assert_eq!((did[1], did.last()), ("blocking ended", Some(&"close_db")), "\n{ended}");
}

#[test]
fn a_blocking_closure_that_never_ends_is_told_of() {
    let start = program!("routes").env("LIFECYCLE_DRAIN_TIMEOUT", "1s").env("LIFECYCLE_GRACE", "5s");
    let mut program = start.start();
    let mut client = Connection::to(&program.address()).expect("it listens");
    client.send("GET /blocking/never").expect("it listens");
    program.wait_until_said("blocking");
    let ended = program.stop();
    ended.expect_code(3).expect_said(&["request cut off: GET /blocking/never ", "worker"]);
    ended.expect_did(&["blocking", "flush", "close_db"]);
    ended.expect_not_said(&[BITTEN]);
}

#[test]
fn a_hook_on_the_blocking_pool_in_the_start_is_left_behind_by_grace() {
    let mut program = program!("service").args("cache=hang").env("LIFECYCLE_GRACE", "5s").start();
    program.wait_until_said("cache");
    program.signal(Signal::SIGTERM);
    let ended = program.end();
    ended.expect_code(1).expect_did(&["db", "cache", "close_db"]);
    ended.expect_said(&["cache was cancelled, did not end and was abandoned"]).expect_not_said(&["listening"]);
    ended.expect_not_said(&[BITTEN]);
}
