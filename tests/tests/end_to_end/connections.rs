//! What a single connection is told and what becomes of it, apart from the stop.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::harness::{Signal, program};
use crate::http::{Connection, Ending, Response};

type Client = Connection<TcpStream>;

fn connect(address: &str) -> Client {
    Connection::to(address).expect("it listens")
}

fn get(client: &mut Client, path: &str) -> Response {
    client.send(&format!("GET {path}")).expect("it listens");
    client.response().expect("a response")
}

#[test]
fn a_client_is_told_how_long_its_connection_is_kept_as_long_as_it_is() {
    let mut program = program!("routes").env("LIFECYCLE_QUIET_WINDOW", "5s").start();
    let mut client = connect(&program.address());
    let response = get(&mut client, "/");
    assert!(response.head.contains("keep-alive: timeout=74"), "{response:?}");
    program.signal(Signal::SIGTERM);
    program.wait_for("stopping");
    let last = get(&mut client, "/");
    assert!(last.announces_close() && !last.head.contains("keep-alive"), "{last:?}");
    program.end().expect_code(0);
}

#[test]
fn a_client_that_wants_the_connection_closed_is_not_told_that_it_is_kept() {
    let mut program = program!("routes").start();
    for head in
        ["GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n", "GET / HTTP/1.0\r\n\r\n"]
    {
        let mut client = connect(&program.address());
        client.write(head.as_bytes()).expect("it listens");
        let response = client.response().expect("a response");
        assert!(!response.head.contains("keep-alive"), "{response:?}");
        assert_eq!(client.ending(), Ending::Closed);
    }
    program.stop().expect_code(0);
}

#[test]
fn a_response_whose_body_fails_is_counted_and_named() {
    for (path, reason) in [
        ("/broken", "the disk is full"),
        ("/short", "the body has ended 95 bytes short of its size"),
    ] {
        let mut program = program!("routes").start();
        let mut client = connect(&program.address());
        client.send(&format!("GET {path}")).expect("it listens");
        assert!(client.response().is_err());
        let ended = program.stop();
        ended.expect_code(0).expect_said(&[
            "0 requests finished, 0 cut off, 1 failed",
            &format!("1 response failed: GET {path}: {reason}"),
        ]);
    }
}

#[test]
fn requests_are_served_on_a_connection_whose_extensions_the_program_clears() {
    let mut program = program!("routes").args("clears").start();
    let mut client = connect(&program.address());
    assert_eq!(get(&mut client, "/").body, "ok");
    program.stop().expect_code(0);
}

#[test]
fn handlers_have_the_handles_that_actix_gives_them() {
    let mut program = program!("routes").start();
    let mut client = connect(&program.address());
    assert_eq!(get(&mut client, "/handles").body, "spawned true");
    program.wait_until_said("spawned on the arbiter");
    program.stop().expect_code(0);
}

/// Time that a client has for the head of a request, as the server has it by default.
const HEAD: Duration = Duration::from_secs(5);

/// Earliest time at which it may be over, as the clock of actix-http is not that precise.
const EARLIEST: Duration = Duration::from_millis(4500);

/// Time that a client waits after its first byte: far from either end of the time that it has, so
/// that a slow machine passes neither.
const PAUSE: Duration = Duration::from_millis(2500);

#[test]
fn a_client_that_may_speak_either_protocol_has_no_more_time_for_a_head() {
    let mut program = program!("routes").args("h2c").start();
    let begun = Instant::now();
    let mut client = connect(&program.address());
    // It may be the beginning of either.
    client.write(b"P").expect("it listens");
    let response = client.response().expect("an answer");
    assert_eq!(response.status, 408);
    assert_eq!(client.ending(), Ending::Closed);
    let took = begun.elapsed();
    assert!((EARLIEST..2 * HEAD).contains(&took), "{took:?}");
    // The time counts from the first moment, and not anew once the protocol is known.
    let begun = Instant::now();
    let mut client = connect(&program.address());
    client.write(b"P").expect("it listens");
    std::thread::sleep(PAUSE);
    client.write(b"OST / HTTP/1.1\r\nHost: te").expect("it listens");
    assert_eq!(client.response().expect("an answer").status, 408);
    let took = begun.elapsed();
    assert!((EARLIEST..PAUSE + HEAD).contains(&took), "{took:?}");
    let begun = Instant::now();
    let mut client = connect(&program.address());
    client.write(b"POST / HTTP/1.1\r\nHost: te").expect("it listens");
    assert_eq!(client.response().expect("an answer").status, 408);
    let took = begun.elapsed();
    assert!((EARLIEST..2 * HEAD).contains(&took), "{took:?}");
    let mut client = connect(&program.address());
    client.write(b"P").expect("it listens");
    client.write(b"UT / HTTP/1.1\r\nHost: test\r\n\r\n").expect("it listens");
    assert_eq!(client.response().expect("an answer").status, 404);
    program.stop().expect_code(0);
}
