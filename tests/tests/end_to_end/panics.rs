//! Handlers that panic, in a program that answers for them.

use crate::harness::program;
use crate::http::{Connection, Lost, request};

#[test]
fn a_handler_that_panics_is_answered_for_and_counted() {
    let mut program = program!("routes").args("catches workers=1").start();
    let address = program.address();
    for asked in ["GET /panic", "GET /panic-in-call", "POST /panic"] {
        let mut client = Connection::to(&address).expect("it listens");
        client.send(asked).expect("it listens");
        let answer = client.response().expect("an answer");
        let head = answer.head.to_lowercase();
        assert!(
            head.starts_with("http/1.1 500 ") && head.contains("connection: close"),
            "{answer:?}"
        );
        assert_eq!(answer.body, "internal server error");
        assert!(client.is_closed(), "{asked}");
    }
    // The worker serves as before.
    assert_eq!(request(&address, "GET /run/next").expect("an answer").body, "next");
    let ended = program.stop();
    ended.expect_code(0).expect_said(&["the handler has no idea", "the call has no idea"]);
    ended.expect_said(&["1 request finished, 0 cut off, 3 panicked"]);
}

#[test]
fn a_request_body_that_nobody_reads_keeps_no_client_from_its_answer() {
    let mut program = program!("routes").args("catches").start();
    let mut client = Connection::to(&program.address()).expect("it listens");
    let head = "POST /panic HTTP/1.1\r\nhost: test\r\ncontent-length: 100000\r\n\r\n";
    client.write(head.as_bytes()).expect("it listens");
    let answer = client.response().expect("an answer");
    assert!(answer.head.contains(" 500 "), "{answer:?}");
    program.stop().expect_code(0).expect_said(&["1 panicked"]);
}

#[test]
fn a_body_that_panics_can_not_be_answered_for() {
    let mut program = program!("routes").args("catches workers=1").start();
    let address = program.address();
    let mut client = Connection::to(&address).expect("it listens");
    client.send("GET /panic-late").expect("it listens");
    let lost = client.response_head().map(|_| client.chunks());
    assert!(!matches!(lost, Ok(Ok(_))), "{lost:?}");
    assert_eq!(request(&address, "GET /run/next").expect("an answer").body, "next");
    program.stop().expect_code(0).expect_said(&["1 request finished, 0 cut off, 1 panicked"]);
}

#[test]
fn by_default_no_handler_is_answered_for() {
    let mut program = program!("routes").args("workers=1").start();
    let address = program.address();
    for asked in ["GET /panic", "GET /panic-in-call"] {
        assert!(matches!(request(&address, asked), Err(Lost::Unanswered)));
    }
    program.stop().expect_code(0).expect_said(&["0 requests finished, 0 cut off, 2 panicked"]);
}
