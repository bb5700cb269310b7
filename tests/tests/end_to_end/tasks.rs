//! Tasks and closures on the blocking pool that handlers leave running.

use std::time::Duration;

use crate::harness::{Program, Signal, program};
use crate::http::{Connection, request};

/// Starts the server and sends it a request.
fn after(target: &str, timeout: &str) -> Program {
    let mut program =
        program!("handlers").args("serve").env("LIFECYCLE_DRAIN_TIMEOUT", timeout).start();
    let response = request(&program.address(), target).expect("a response");
    assert_eq!(response.status, 202);
    program
}

#[test]
fn a_task_of_a_handler_ends_before_anything_is_torn_down() {
    let mut program = after("POST /orders", "20s");
    program.wait_until_said("task");
    program.signal(Signal::SIGTERM);
    program.wait_for("waiting for a task of POST /orders");
    program.tell("task");
    let ended = program.end();
    ended.expect_code(0).expect_did(&[
        "db",
        "task",
        "task has a row",
        "task dropped",
        "flush",
        "close_db",
    ]);
    ended.expect_said(&["; tasks: 1 finished, 0 cut off"]);
}

#[test]
fn a_task_that_does_not_end_in_the_time_of_requests_is_cut_off_and_named() {
    let mut program = after("POST /orders", "1s");
    program.wait_until_said("task");
    let ended = program.stop();
    ended.expect_code(3).expect_took(Duration::from_secs(1));
    ended.expect_did(&["db", "task", "task dropped", "flush", "close_db"]);
    ended.expect_said(&["; tasks: 0 finished, 1 cut off", "task cut off: POST /orders 1"]);
}

#[test]
fn a_task_that_blocks_its_thread_is_left_behind_and_told_of() {
    let mut program = after("POST /blocking", "1s");
    program.wait_until_said("blocking");
    let ended = program.stop();
    ended.expect_code(3).expect_said(&[
        "task cut off: POST /blocking",
        "a task of a handler still ran when the shutdown hooks began",
    ]);
}

#[test]
fn a_second_signal_cuts_a_task_off() {
    let mut program = after("POST /orders", "20s");
    program.wait_until_said("task");
    program.signal(Signal::SIGTERM);
    program.wait_for("waiting for a task of POST /orders");
    program.signal(Signal::SIGTERM);
    let ended = program.end();
    ended.expect_code(3).expect_took(Duration::ZERO).expect_said(&["task cut off: POST /orders"]);
    ended.expect_did(&["db", "task", "task dropped", "flush", "close_db"]);
}

#[test]
fn a_task_that_panics_is_counted() {
    let mut program = after("POST /panicking", "20s");
    program.wait_for("the task has no idea");
    let ended = program.stop();
    ended.expect_code(0).expect_said(&["1 task panicked", "a task of POST /panicking panicked ("]);
    assert_eq!(ended.stderr().matches("the task has no idea").count(), 1, "{ended}");
}

#[test]
fn a_task_that_nobody_awaits_is_told_of() {
    let ended = after("POST /forgotten", "20s").stop();
    ended.expect_code(0).expect_took(Duration::ZERO);
    ended.expect_said(&[
        "tasks that handlers or the app had spawned were dropped with a worker thread",
    ]);
    let ended = program!("handlers").args("serve").start().ready().stop();
    ended.expect_code(0).expect_not_said(&["dropped", "task"]);
}

#[test]
fn a_task_that_nobody_awaits_is_told_of_even_if_requests_are_cut_off() {
    const DROPPED: &str =
        "tasks that handlers or the app had spawned were dropped with a worker thread";
    for (forgets, timeout, is_hurried) in
        [(true, "1s", false), (false, "1s", false), (true, "20s", true), (false, "20s", true)]
    {
        let start = program!("handlers").args("serve").env("LIFECYCLE_DRAIN_TIMEOUT", timeout);
        let mut program = start.env("LIFECYCLE_WORKERS", "1").start();
        let address = program.address();
        if forgets {
            assert_eq!(request(&address, "POST /forgotten").expect("a response").status, 202);
        }
        let held = |_| {
            let mut client = Connection::to(&address).expect("it listens");
            client.send("GET /held").expect("it listens");
            client
        };
        let clients: Vec<_> = (0..100).map(held).collect();
        program.wait_until_said_times("held", clients.len());
        program.signal(Signal::SIGTERM);
        if is_hurried {
            program.wait_for("waiting for 100 requests");
            program.signal(Signal::SIGTERM);
        }
        let ended = program.end();
        ended.expect_code(3).expect_said(&["finished, 100 cut off"]);
        if forgets {
            ended.expect_said(&[DROPPED]);
        } else {
            ended.expect_not_said(&["dropped"]);
        }
    }
}

#[test]
fn what_is_left_on_the_blocking_pool_is_called_by_its_name() {
    let mut program = after("POST /abandoned", "20s");
    program.wait_until_said("abandoned");
    program.signal(Signal::SIGTERM);
    let pool = "the blocking pool of a worker thread (web::block, or an address lookup)";
    program.wait_for(&format!("waiting for {pool}"));
    program.tell("abandoned");
    let ended = program.end();
    ended.expect_code(0).expect_not_said(&["which a handler may block"]);

    let mut program = after("POST /abandoned", "1s");
    program.wait_until_said("abandoned");
    program.signal(Signal::SIGTERM);
    program.wait_for(&format!("waiting for {pool}"));
    program.signal(Signal::SIGTERM);
    let ended = program.end();
    ended.expect_code(3).expect_said(&[
        "the blocking pool of a worker thread had not ended when the shutdown hooks began",
    ]);
}
