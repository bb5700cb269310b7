//! Handlers that panic, in a program that answers for them.

use std::path::Path;
use std::time::Instant;

use serde_json::Value;

use crate::harness::{Ended, own_address, program};
use crate::http::{Connection, Lost, request, tcp};

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
    ended.expect_code(0);
    expect_told(&ended, "the handler has no idea", &["GET /panic", "POST /panic"]);
    expect_told(&ended, "the call has no idea", &["GET /panic-in-call"]);
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
    let folder = tempfile::tempdir().expect("a folder");
    let report = folder.path().join("run.json");
    let start = program!("routes").args("catches workers=1").env("LIFECYCLE_REPORT", &report);
    let mut program = start.start();
    let address = program.address();
    let mut client = Connection::to(&address).expect("it listens");
    client.send("GET /panic-late").expect("it listens");
    let lost = client.response_head().map(|_| client.chunks());
    assert!(!matches!(lost, Ok(Ok(_))), "{lost:?}");
    assert_eq!(request(&address, "GET /run/next").expect("an answer").body, "next");
    let ended = program.stop();
    ended.expect_code(0).expect_said(&["1 request finished, 0 cut off, 1 panicked"]);
    expect_told(&ended, "the body has no idea", &["GET /panic-late"]);
    expect_last_panic(&report, "/panic-late", "the body has no idea");
}

#[test]
fn a_websocket_that_panics_is_in_the_report_with_its_message() {
    let folder = tempfile::tempdir().expect("a folder");
    let report = folder.path().join("run.json");
    let mut program = program!("routes").env("LIFECYCLE_REPORT", &report).start();
    let stream = tcp(&program.address()).expect("it listens");
    let upgraded = tungstenite::client("ws://localhost/panics", stream);
    program.tell("panic");
    program.wait_for("the handler of GET /panics panicked (after ");
    drop(upgraded);
    program.stop().expect_code(0);
    expect_last_panic(&report, "/panics", "the stream has no idea");
}

#[test]
fn by_default_no_handler_is_answered_for() {
    let mut program = program!("routes").args("workers=1").start();
    let address = program.address();
    for asked in ["GET /panic", "GET /panic-in-call"] {
        assert!(matches!(request(&address, asked), Err(Lost::Unanswered)));
    }
    let ended = program.stop();
    ended.expect_code(0).expect_said(&["0 requests finished, 0 cut off, 2 panicked"]);
    expect_told(&ended, "the handler has no idea", &["GET /panic"]);
    expect_told(&ended, "the call has no idea", &["GET /panic-in-call"]);
}

#[test]
fn a_panic_on_the_blocking_pool_is_an_error_of_the_handler() {
    let mut program = program!("routes").start();
    let answer = request(&program.address(), "GET /panic-in-block").expect("an answer");
    assert_eq!(answer.status, 500);
    let ended = program.stop();
    expect_told(&ended, "the block has no idea", &[]);
    ended.expect_code(0).expect_said(&["1 request finished, 0 cut off"]);
    ended.expect_not_said(&["panicked (after "]);
}

#[test]
fn a_handler_that_panics_at_each_request_has_ten_lines_a_second() {
    const REQUESTS: usize = 200;
    let mut program = program!("routes").args("catches").start();
    let address = program.address();
    let begun = Instant::now();
    for _ in 0..REQUESTS {
        assert_eq!(request(&address, "GET /panic").expect("an answer").status, 500);
    }
    let seconds = usize::try_from(begun.elapsed().as_secs()).expect("few");
    let ended = program.stop();
    let stderr = ended.stderr();
    let told = stderr.matches("the handler of GET /panic panicked").count();
    // The windows are not those of this clock.
    assert!((10..=10 * (seconds + 2)).contains(&told), "{told} in {seconds} s\n{ended}");
    assert_eq!(stderr.matches("the handler has no idea").count(), REQUESTS);
    ended.expect_said(&["0 requests finished, 0 cut off, 200 panicked"]);
}

#[test]
fn lines_of_another_form_name_the_request_and_leave_the_message_out() {
    for form in ["json", "time"] {
        let address = own_address();
        let start = program!("routes").args("catches").env("LIFECYCLE_BIND", &address);
        let mut program = start.env("LIFECYCLE_CONSOLE", form).start();
        program.wait_for("ready after");
        assert_eq!(request(&address, "GET /panic?key=x").expect("an answer").status, 500);
        let ended = program.stop();
        expect_told(&ended, "the handler has no idea", &["GET /panic"]);
        ended.expect_not_said(&["key=x"]);
        if form == "json" {
            ended.expect_said(&["\"event\":\"request_panicked\",\"method\":\"GET\",\"path\":"]);
        }
    }
}

#[test]
fn a_subscriber_learns_of_the_request_and_not_the_message_once_more() {
    let address = own_address();
    let start = program!("service").args("log=info").env("LIFECYCLE_BIND", &address);
    let mut program = start.start();
    program.wait_for("state=ready");
    assert!(matches!(request(&address, "GET /panicking"), Err(Lost::Unanswered)));
    let ended = program.stop();
    ended.expect_said(&["request panicked method=GET path=\"/panicking\" running="]);
    ended.expect_not_said(&["lifecycle: the handler of "]);
    assert_eq!(ended.stderr().matches("the handler has no idea").count(), 1, "{ended}");
}

/// Checks the last panic of a handler in a report.
#[track_caller]
fn expect_last_panic(report: &Path, path: &str, message: &str) {
    let text = std::fs::read_to_string(report).expect("a report");
    let report: Value = serde_json::from_str(&text).expect("JSON");
    let panic = &report["traffic"]["requests"]["last_panic"];
    assert_eq!((&panic["request"]["path"], &panic["message"]), (&path.into(), &message.into()));
}

/// Checks that stderr has the message of a panic once for each of these requests, or once if there
/// are none, and one line that names each request.
#[track_caller]
fn expect_told(ended: &Ended, message: &str, requests: &[&str]) {
    let stderr = ended.stderr();
    assert_eq!(stderr.matches(message).count(), requests.len().max(1), "{message}\n{ended}");
    for request in requests {
        let line = format!("the handler of {request} panicked (after ");
        assert_eq!(stderr.matches(&line).count(), 1, "{line}\n{ended}");
    }
}
