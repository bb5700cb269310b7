//! Code that can't be cancelled: the process is gone by its grace period all the same, and not before.

use std::time::Duration;

use crate::STARTED;
use crate::harness::{Signal, program};
use crate::http::{Connection, Lost};

const GRACE: Duration = Duration::from_secs(1);

#[test]
fn a_blocked_runtime_in_the_stop_is_gone_by_grace() {
    let program = program!("service").args("flush=block").env("LIFECYCLE_GRACE", "1s");
    let ended = program.start().ready().stop();
    ended.expect_code(3).expect_took(GRACE).expect_did(&[&STARTED[..], &["flush"]].concat());
    ended.expect_said(&["the grace period of 1 s is over, exit at once: still running: flush", "exit code 3"]);
}

#[test]
fn a_blocked_runtime_in_the_start_is_gone_by_grace_after_a_signal() {
    let mut program = program!("service").args("warm=block").env("LIFECYCLE_GRACE", "1s").start();
    program.wait_until_said("warm");
    program.signal(Signal::SIGTERM);
    let ended = program.end();
    ended.expect_code(1).expect_took(GRACE).expect_did(&STARTED);
    ended.expect_said(&["exit at once: still running: warm", "exit code 1"]).expect_not_said(&["listening"]);
}

#[test]
fn a_blocked_runtime_in_the_start_is_gone_by_its_timeout_and_grace() {
    let program = program!("service").args("warm=block").env("LIFECYCLE_GRACE", "1s");
    let ended = program.env("LIFECYCLE_STARTUP_TIMEOUT", "1s").end();
    ended.expect_code(1).expect_took(2 * GRACE).expect_did(&STARTED);
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
    let mut program = program!("service").env("LIFECYCLE_GRACE", "3s").start();
    let mut client = Connection::to(&program.address()).expect("it listens");
    client.send("GET /block").expect("it listens");
    program.wait_until_said("block");
    let ended = program.stop();
    assert!(matches!(client.response(), Err(Lost::Unanswered)));
    ended.expect_code(3).expect_said(&["request cut off: GET /block"]);
    ended.expect_did(&[&STARTED[..], &["block", "flush", "audit", "cache dropped", "close_db"]].concat());
    assert!(ended.took < Duration::from_secs(3), "{:?}", ended.took);
}

#[test]
fn a_hook_on_the_blocking_pool_in_the_start_is_left_behind_by_grace() {
    let mut program = program!("service").args("cache=hang").env("LIFECYCLE_GRACE", "3s").start();
    program.wait_until_said("cache");
    program.signal(Signal::SIGTERM);
    let ended = program.end();
    ended.expect_code(1).expect_did(&["db", "cache", "close_db"]);
    ended.expect_said(&["cache was cancelled, did not end and was abandoned"]).expect_not_said(&["listening"]);
    assert!(ended.took < Duration::from_secs(3), "{:?}", ended.took);
}
