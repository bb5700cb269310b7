//! Responses without an end of their own.

use std::time::Duration;

use crate::harness::{Signal, program};
use crate::http::{Connection, Ending, Lost};

#[test]
fn a_stream_that_is_told_of_the_stop_ends_itself() {
    let mut program = program!("routes").start();
    let mut client = Connection::to(&program.address()).expect("it listens");
    client.send("GET /events").expect("it listens");
    client.response_head().expect("a head");
    assert_eq!(client.chunk().expect("an event"), "data: first\n\n");
    program.signal(Signal::SIGTERM);
    // The body has its last chunk, so the client knows that it is complete.
    assert_eq!(client.chunks().expect("an end"), "data: last\n\n");
    assert_eq!(client.ending(), Ending::Closed);
    let ended = program.end();
    println!("gone {:?} after the signal", ended.took);
    ended
        .expect_code(0)
        .expect_said(&["1 request finished, 0 cut off"])
        .expect_took(Duration::ZERO);
}

#[test]
fn a_stream_that_ignores_the_stop_is_cut_and_named_when_its_time_is_over() {
    let mut program = program!("routes").env("LIFECYCLE_DRAIN_TIMEOUT", "1s").start();
    let mut client = Connection::to(&program.address()).expect("it listens");
    client.send("GET /endless").expect("it listens");
    client.response_head().expect("a head");
    assert_eq!(client.chunk().expect("an event"), "data: again\n\n");
    program.signal(Signal::SIGTERM);
    // The body has no last chunk, so the client knows that it is incomplete.
    assert!(matches!(client.chunks(), Err(Lost::Cut { .. })));
    let ended = program.end();
    ended.expect_code(3).expect_took(Duration::from_secs(1)).expect_did(&["flush", "close_db"]);
    ended.expect_said(&["request cut off: GET /endless ", "0 requests finished, 1 cut off"]);
}

#[test]
fn a_client_that_reads_late_gets_everything() {
    let mut program = program!("routes").start();
    let mut client = Connection::to(&program.address()).expect("it listens");
    client.send("GET /large").expect("it listens");
    client.response_head().expect("a head");
    program.wait_until_said("large");
    program.signal(Signal::SIGTERM);
    program.wait_for("waiting for GET /large ");
    let mut length = 0;
    loop {
        match client.chunk().expect("a chunk").len() {
            0 => break,
            more => length += more,
        }
    }
    assert_eq!(length, 64 << 20);
    assert_eq!(client.ending(), Ending::Closed);
    program.end().expect_code(0);
}
