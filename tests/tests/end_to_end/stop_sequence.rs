//! Sequence of a stop: drain hooks, drain delay, requests, services, and the time of each.

use std::thread;
use std::time::Duration;

use crate::harness::{Signal, program};
use crate::http::{Connection, request};
use crate::serve;

#[test]
fn a_generous_timeout_of_a_teardown_leaves_requests_half_of_the_grace_period() {
    let mut program = serve("limited").env("LIFECYCLE_GRACE", "5s").start();
    let mut client = Connection::to(&program.address()).expect("it listens");
    client.send("GET /held").expect("it listens");
    program.wait_until_said("held");
    program.signal(Signal::SIGTERM);
    program.wait_for("stopping (SIGTERM), up to 5 s, requests up to 2.5 s");
    // By then a second has passed.
    program.wait_for("waiting for GET /held 1");
    program.tell("held");
    assert_eq!(client.response().expect("a response").body, "held");
    let ended = program.end();
    ended.expect_code(0).expect_said(&[
        "requests have 2.5 s of 5 s; after a full drain `limited` has",
        "0 cut off",
    ]);
}

#[test]
fn a_reserve_is_kept_beside_a_request_that_never_ends() {
    let mut program = serve("kept").env("LIFECYCLE_GRACE", "12s").start();
    let mut client = Connection::to(&program.address()).expect("it listens");
    client.send("GET /held").expect("it listens");
    program.wait_until_said("held");
    let ended = program.stop();
    ended.expect_code(3).expect_said(&["request cut off: GET /held"]);
    assert!(ended.did().contains(&"kept ended"), "\n{ended}");
}

#[test]
fn a_reserve_that_does_not_fit_is_refused() {
    let reserved = |grace| serve("reserved").env("LIFECYCLE_GRACE", grace);
    let ended = reserved("9s").end();
    ended.expect_code(2).expect_said(&[
        "need 8 s with their margins, and the grace period of 9 s leaves",
        "nothing was started",
    ]);
    reserved("9s").env("LIFECYCLE_DRAIN_TIMEOUT", "0s").start().ready().stop().expect_code(0);
    reserved("25s").start().ready().stop().expect_code(0);
}

#[test]
fn the_listener_accepts_until_the_drain_hooks_have_ended() {
    let mut program = serve("deregister").start();
    let address = program.address();
    program.signal(Signal::SIGTERM);
    program.wait_until_said("deregister");
    for _ in 0..100 {
        let response = request(&address, "GET /").expect("it still accepts");
        assert!(response.head.contains("\r\nconnection: close\r\n"), "{response:?}");
    }
    program.tell("deregister");
    let ended = program.end();
    ended.expect_code(0).expect_said(&["100 requests finished, 0 cut off"]);
    assert!(request(&address, "GET /").is_err(), "nobody listens");
}

#[test]
fn a_drain_hook_that_hangs_has_the_listener_accept_for_a_while_and_no_longer() {
    let mut program = serve("deregister").env("LIFECYCLE_GRACE", "10s").start();
    let address = program.address();
    let mut client = Connection::to(&address).expect("it listens");
    client.send("GET /held").expect("it listens");
    program.wait_until_said("held");
    program.signal(Signal::SIGTERM);
    program.wait_until_said("deregister");
    request(&address, "GET /").expect("it still accepts");
    program.wait_while(|| request(&address, "GET /").is_ok());
    // A request that has been in flight since before goes on.
    program.tell("held");
    assert_eq!(client.response().expect("a response").body, "held");
    let ended = program.end();
    ended.expect_code(3).expect_said(&["hook `deregister` (", "ran out of its share", "0 cut off"]);
    ended.expect_did(&["db", "held", "deregister", "flush", "close_db"]);
}

#[test]
fn a_hurried_stop_waits_for_the_drain_hooks_and_accepts_nothing_meanwhile() {
    let mut program = serve("deregister").start();
    let address = program.address();
    program.signal(Signal::SIGTERM);
    program.wait_until_said("deregister");
    program.signal(Signal::SIGTERM);
    program.wait_for("server closed");
    assert!(request(&address, "GET /").is_err(), "nobody listens");
    program.tell("deregister");
    program.end().expect_code(0).expect_did(&["db", "deregister", "flush", "close_db"]);
}

#[test]
fn the_drain_delay_follows_the_drain_hooks() {
    let mut program = serve("deregister").env("LIFECYCLE_DRAIN_DELAY", "1s").start().ready();
    program.signal(Signal::SIGTERM);
    program.wait_until_said("deregister");
    // The pause is the work of a slow hook.
    thread::sleep(Duration::from_millis(500));
    program.tell("deregister");
    let ended = program.end();
    assert!(ended.took >= Duration::from_millis(1_500), "{ended}");
    ended.expect_code(0);
}

#[test]
fn a_service_may_be_told_while_requests_are_served() {
    let mut program = serve("consumer").start();
    let mut client = Connection::to(&program.address()).expect("it listens");
    client.send("GET /held").expect("it listens");
    program.wait_until_said("held");
    program.signal(Signal::SIGTERM);
    program.wait_until_said("consumer stops");
    program.tell("held");
    assert_eq!(client.response().expect("a response").body, "held");
    program.end().expect_code(0).expect_did(&["db", "held", "consumer stops", "flush", "close_db"]);
}

#[test]
fn workers_that_wait_for_another_are_not_called_blocked() {
    for tracing in [false, true] {
        // One program has `tracing`, the other the console.
        let start = if tracing { program!("service").args("log=info") } else { serve("") };
        let mut program = start.env("LIFECYCLE_WORKERS", "4").start();
        let url = program.wait_for(if tracing { "listening url=" } else { "listening on" });
        let address = url.rsplit('/').next().expect("a URL").trim_matches('"');
        let mut client = Connection::to(address).expect("it listens");
        client.send("GET /held").expect("it listens");
        program.wait_until_said("held");
        program.signal(Signal::SIGTERM);
        // By this line the other workers have long had nothing left to do.
        program.wait_for_times("GET /held", 2);
        program.signal(Signal::SIGUSR1);
        program.wait_for("lifecycle:   GET /held");
        program.tell("held");
        assert_eq!(client.response().expect("a response").body, "held");
        let ended = program.end();
        ended.expect_code(0).expect_not_said(&["worker thread", "blocked"]);
    }
}
