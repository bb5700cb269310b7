//! Single connections, apart from the stop: what they are told, and how they end.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::harness::{Signal, program};
use crate::http::{self, Connection, Ending, Response};

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

/// Sends a request with a body, and returns whether the response says how long the connection is
/// kept. Checks that the connection is kept exactly in that case.
#[track_caller]
fn says_that_it_is_kept(client: &mut Client, request: &[u8]) -> bool {
    client.write(request).expect("it listens");
    kept_behind_response(client)
}

#[track_caller]
fn kept_behind_response(client: &mut Client) -> bool {
    let response = client.response().expect("a response");
    assert_eq!(response.status, 200, "{response:?}");
    let is_kept = response.head.contains("keep-alive: timeout=74");
    assert_eq!(is_kept, !response.announces_close(), "{response:?}");
    if is_kept {
        assert_eq!(get(client, "/").body, "ok");
    } else {
        assert!(client.is_closed());
    }
    is_kept
}

fn post(path: &str, body: &str) -> Vec<u8> {
    (http::head(&format!("POST {path}"), body.len()) + body).into_bytes()
}

fn post_in_chunks(path: &str, chunks: &str) -> Vec<u8> {
    let head = format!("POST {path} HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n");
    (head + chunks).into_bytes()
}

const CHUNKS: &str = "5\r\nhello\r\n0\r\n\r\n";

#[test]
fn a_client_that_has_sent_a_body_is_told_that_its_connection_is_kept_exactly_if_it_is() {
    let mut program = program!("routes").args("workers=1").start();
    let address = program.address();
    let mut client = connect(&address);
    for _ in 0..2 {
        assert!(says_that_it_is_kept(&mut client, &post("/upload", "hello")));
        assert!(says_that_it_is_kept(&mut client, &post_in_chunks("/upload", CHUNKS)));
        assert!(says_that_it_is_kept(&mut client, &post("/upload", &"x".repeat(1 << 20))));
    }
    // Nobody reads this body, but it has come when the handler answers.
    let stream = http::tcp(&address).expect("it listens");
    stream.set_nodelay(true).expect("a TCP stream");
    let mut client = Connection::over(stream);
    client.write(http::head("POST /held/whole", 5).as_bytes()).expect("it listens");
    program.wait_until_said("held whole");
    client.write(b"hello").expect("it listens");
    // Once the worker has answered another client, it has looked at all of its connections.
    assert_eq!(get(&mut connect(&address), "/").body, "ok");
    program.tell("whole");
    assert!(kept_behind_response(&mut client));
    // The server reads a body in chunks to its end.
    assert!(says_that_it_is_kept(&mut client, &post_in_chunks("/run/chunks", CHUNKS)));
    // This body has not come when the handler answers.
    assert!(!says_that_it_is_kept(&mut client, &post("/run/early", "hello")));
    let mut client = connect(&address);
    client.write(http::head("POST /held/part", 5).as_bytes()).expect("it listens");
    program.wait_until_said("held part");
    program.tell("part");
    assert!(!kept_behind_response(&mut client));
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

/// Default of the time that a client has for the head of a request.
const HEAD: Duration = Duration::from_secs(5);

/// Earliest time at which that time may be over, as the clock of actix-http is imprecise.
const EARLIEST: Duration = Duration::from_millis(4500);

/// Time that a client waits after its first byte. It is far from either end of the time for a head,
/// so that a slow machine passes neither.
const PAUSE: Duration = Duration::from_millis(2500);

#[test]
fn a_client_that_may_speak_either_protocol_has_no_more_time_for_a_head() {
    let mut program = program!("routes").args("h2c").start();
    let begun = Instant::now();
    let mut client = connect(&program.address());
    // The byte may be the beginning of either protocol.
    client.write(b"P").expect("it listens");
    let response = client.response().expect("an answer");
    assert_eq!(response.status, 408);
    assert_eq!(client.ending(), Ending::Closed);
    let took = begun.elapsed();
    assert!((EARLIEST..2 * HEAD).contains(&took), "{took:?}");
    // The time counts from the first moment, and does not start anew once the protocol is known.
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
