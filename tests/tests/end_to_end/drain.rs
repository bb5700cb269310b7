//! Drain from the signal to the closed server, as clients and operators see it.

use std::time::Duration;

use socket2::SockRef;

use crate::harness::{Signal, program};
use crate::http::{Connection, Lost, request, tcp};
use crate::{STARTED, STOPPED};

#[test]
fn a_response_while_draining_announces_the_end_of_its_connection() {
    let mut program = program!("service").start();
    let mut client = Connection::to(&program.address()).expect("it listens");
    client.send("GET /").expect("it listens");
    assert!(
        !client.response().expect("a response").head.contains("connection: close"),
        "nothing ends yet"
    );
    client.send("GET /held").expect("it listens");
    program.wait_until_said("held");
    program.signal(Signal::SIGTERM);
    program.wait_for("stopping");
    program.tell("held");
    let response = client.response().expect("a response");
    assert!(response.head.contains("\r\nconnection: close\r\n"), "{response:?}");
    assert!(client.is_closed());
    program.end().expect_code(0);
}

#[test]
fn connections_are_accepted_until_the_drain_delay_is_over() {
    let mut program =
        program!("service").env("LIFECYCLE_DRAIN_DELAY", "1m").env("LIFECYCLE_GRACE", "2m").start();
    let address = program.address();
    let mut old = Connection::to(&address).expect("it listens");
    old.send("GET /").expect("it listens");
    old.response().expect("a response");
    program.signal(Signal::SIGTERM);
    program.wait_for("stopping");
    let mut new = Connection::to(&address).expect("it still accepts");
    for (client, path, body) in [(&mut new, "/rows", "rows"), (&mut old, "/", "ok")] {
        client.send(&format!("GET {path}")).expect("it still listens");
        let response = client.response().expect("a response");
        assert_eq!(response.body, body);
        assert!(response.announces_close(), "{response:?}");
        assert!(client.is_closed());
    }
    // The drain would go on for long.
    program.signal(Signal::SIGTERM);
    program.end().expect_code(0).expect_did(&[&STARTED[..], &STOPPED].concat());
    assert!(request(&address, "GET /").is_err());
}

#[test]
fn a_drain_delay_leaves_the_shutdown_hooks_their_time() {
    let program =
        program!("service").env("LIFECYCLE_DRAIN_DELAY", "1h").env("LIFECYCLE_GRACE", "6s");
    let ended = program.start().ready().stop();
    ended
        .expect_code(0)
        .expect_took(Duration::from_secs(3))
        .expect_did(&[&STARTED[..], &STOPPED].concat());
    ended.expect_said(&[
        "the stop may take 60 min 2 s, longer than the grace period of 6 s: requests have",
    ]);
}

#[test]
fn a_request_that_does_not_end_is_cut_and_named_when_its_time_is_over() {
    let mut program = program!("service").env("LIFECYCLE_DRAIN_TIMEOUT", "1s").start();
    let mut client = Connection::to(&program.address()).expect("it listens");
    client.send("GET /held?key=secret").expect("it listens");
    program.wait_until_said("held");
    let ended = program.stop();
    ended.expect_code(3).expect_took(Duration::from_secs(1));
    // A query may hold a secret, which must not get into a log.
    ended.expect_said(&["request cut off: GET /held "]).expect_not_said(&["secret"]);
}

#[test]
fn what_a_long_stop_waits_for_is_told_every_second() {
    let mut program = program!("service").args("flush=wait").start();
    let mut client = Connection::to(&program.address()).expect("it listens");
    client.send("GET /held").expect("it listens");
    program.wait_until_said("held");
    program.signal(Signal::SIGTERM);
    program.wait_for_times("waiting for GET /held ", 2);
    program.tell("held");
    program.wait_for("waiting for flush ");
    program.tell("flush");
    program.end().expect_code(0);
}

#[test]
fn a_long_poll_ends_itself_when_the_stop_begins() {
    let mut program = program!("service").start();
    let mut client = Connection::to(&program.address()).expect("it listens");
    client.send("GET /until-stop").expect("it listens");
    program.wait_until_said("until_stop");
    program.signal(Signal::SIGTERM);
    assert_eq!(client.response().expect("a response").body, "stopped");
    program.end().expect_code(0);
}

#[test]
fn a_handler_that_panics_takes_nothing_else_down() {
    let mut program = program!("service").env("LIFECYCLE_WORKERS", "1").start();
    let address = program.address();
    assert!(matches!(request(&address, "GET /panicking"), Err(Lost::Unanswered)));
    assert_eq!(request(&address, "GET /rows").expect("a response").body, "rows");
    let ended = program.stop();
    ended.expect_code(0).expect_did(&[&STARTED[..], &STOPPED].concat());
    ended.expect_said(&["1 request finished, 0 cut off, 1 panicked"]);
}

#[test]
fn a_client_that_goes_away_is_counted() {
    let mut program = program!("service").start();
    let stream = tcp(&program.address()).expect("it listens");
    // The client leaves by a reset, as one that closes its half may still read.
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("a socket");
    let mut client = Connection::over(stream);
    client.send("GET /held").expect("it listens");
    program.wait_until_said("held");
    drop(client);
    program.wait_until_said("held dropped");
    let ended = program.stop();
    ended.expect_code(0).expect_took(Duration::ZERO);
    ended.expect_said(&["0 requests finished, 0 cut off, 1 client went away before its response"]);
}
