//! A server that is stopped under load: every request that was sent is answered.

use crate::harness::{Signal, own_address, program};
use crate::load::{Load, Shape};

/// Stops a server under this load after so many answers.
fn expect_nothing_lost(shape: Shape, answers: usize) {
    let address = own_address();
    let mut program = program!("routes").env("LIFECYCLE_BIND", &address).start().ready();
    let load = Load::start(&address, shape, |_, _| "GET /".to_owned());
    load.wait_for(answers);
    program.signal(Signal::SIGTERM);
    let outcome = load.end();
    outcome.expect_nothing_lost();
    println!("{outcome}");
    assert!(outcome.answered.len() >= answers, "{outcome}");
    let ended = program.end();
    println!("gone {:?} after the signal", ended.took);
    ended.expect_code(0).expect_did(&["flush", "close_db"]);
    // No client was left waiting for the end of a window, and none was cut.
    ended.expect_said(&[&format!("{} requests finished, 0 cut off", outcome.answered.len())]);
}

#[test]
fn clients_in_a_closed_loop_lose_no_request() {
    expect_nothing_lost(Shape::CLOSED_LOOP, 2000);
}

#[test]
fn clients_that_think_lose_no_request() {
    expect_nothing_lost(Shape::THINKING, 2000);
}

#[test]
fn clients_with_a_connection_for_each_request_lose_no_request() {
    expect_nothing_lost(Shape::FRESH, 2000);
}
