//! Requests in flight at the signal: all of them end as if nothing had happened.

use std::time::Instant;

use crate::harness::{Signal, program};
use crate::http::{Connection, Ending, head};

#[test]
fn every_request_in_flight_is_answered() {
    let mut program = program!("routes").start();
    let address = program.address();
    let names: Vec<_> = (0..20).map(|number| format!("request-{number}")).collect();
    let mut clients = Vec::new();
    for name in &names {
        let mut client = Connection::to(&address).expect("it listens");
        client.send(&format!("GET /held/{name}")).expect("it listens");
        program.wait_until_said(&format!("held {name}"));
        clients.push(client);
    }
    program.signal(Signal::SIGTERM);
    program.wait_for("stopping");
    for name in &names {
        program.tell(name);
    }
    for (client, name) in clients.iter_mut().zip(&names) {
        let response = client.response().expect("a response");
        assert_eq!((response.status, &response.body), (200, name));
        assert!(response.announces_close(), "{response:?}");
    }
    let answered = Instant::now();
    for client in &mut clients {
        assert_eq!(client.ending(), Ending::Closed);
    }
    let ended = program.end();
    println!("gone {:?} after the last response", answered.elapsed());
    ended.expect_code(0).expect_said(&["20 requests finished, 0 cut off"]);
}

#[test]
fn a_request_waits_for_its_answer_beyond_the_quiet_window() {
    let mut program = program!("routes").env("LIFECYCLE_QUIET_WINDOW", "100ms").start();
    let mut client = Connection::to(&program.address()).expect("it listens");
    client.send("GET /held/long").expect("it listens");
    program.wait_until_said("held long");
    program.signal(Signal::SIGTERM);
    program.wait_for("waiting for GET /held/long ");
    program.tell("long");
    assert_eq!(client.response().expect("a response").body, "long");
    assert_eq!(client.ending(), Ending::Closed);
    program.end().expect_code(0);
}

#[test]
fn an_upload_that_spans_the_signal_is_read_to_its_end() {
    let mut program = program!("routes").start();
    let mut client = Connection::to(&program.address()).expect("it listens");
    let half = vec![b'x'; 100_000];
    client.write(head("POST /upload", 2 * half.len()).as_bytes()).expect("it listens");
    client.write(&half).expect("it listens");
    program.wait_until_said("upload");
    program.signal(Signal::SIGTERM);
    // "stopping" would be too early: by this line the idle connections have been closed.
    program.wait_for("waiting for POST /upload ");
    client.write(&half).expect("it still reads");
    let response = client.response().expect("a response");
    assert_eq!((response.status, response.body.as_str()), (200, "200000"));
    assert!(response.announces_close(), "{response:?}");
    assert_eq!(client.ending(), Ending::Closed);
    program.end().expect_code(0).expect_said(&["1 request finished, 0 cut off"]);
}

#[test]
fn a_chunked_response_that_spans_the_signal_is_sent_to_its_end() {
    let mut program = program!("routes").start();
    let mut client = Connection::to(&program.address()).expect("it listens");
    client.send("GET /chunks").expect("it listens");
    let head = client.response_head().expect("a head");
    assert!(!head.contains("connection: close"), "nothing ends yet: {head}");
    assert_eq!(client.chunk().expect("a chunk"), "first");
    program.signal(Signal::SIGTERM);
    program.wait_for("waiting for GET /chunks ");
    program.tell("chunks");
    assert_eq!(client.chunks().expect("the other chunk"), "second");
    assert_eq!(client.ending(), Ending::Closed);
    program.end().expect_code(0);
}

#[test]
fn a_connection_that_was_not_told_of_the_close_may_send_one_more_request() {
    // The head of the response came before the signal, and the end of the body comes long after the
    // window. Only then does the connection become idle, and its client does not know of the stop.
    let mut program = program!("routes").env("LIFECYCLE_QUIET_WINDOW", "1s").start();
    let mut client = Connection::to(&program.address()).expect("it listens");
    client.send("GET /chunks").expect("it listens");
    client.response_head().expect("a head");
    assert_eq!(client.chunk().expect("a chunk"), "first");
    program.signal(Signal::SIGTERM);
    program.wait_for_times("waiting for GET /chunks ", 2);
    program.tell("chunks");
    assert_eq!(client.chunks().expect("the other chunk"), "second");
    client.send("GET /").expect("it is open");
    let response = client.response().expect("a response");
    assert_eq!(response.body, "ok");
    assert!(response.announces_close(), "{response:?}");
    assert_eq!(client.ending(), Ending::Closed);
    program.end().expect_code(0).expect_said(&["2 requests finished, 0 cut off"]);
}

#[test]
fn a_request_pipelined_behind_another_is_answered_or_does_not_run() {
    let mut program = program!("routes").start();
    let mut client = Connection::to(&program.address()).expect("it listens");
    let both = head("GET /held/first", 0) + &head("GET /run/second", 0);
    client.write(both.as_bytes()).expect("it listens");
    program.wait_until_said("held first");
    program.signal(Signal::SIGTERM);
    program.wait_for("stopping");
    program.tell("first");
    let first = client.response().expect("a response");
    assert_eq!(first.body, "first");
    assert!(first.announces_close(), "{first:?}");
    let ending = client.ending();
    let ended = program.end();
    ended.expect_code(0);
    assert!(!ended.did().contains(&"run second"), "it ran after the close was announced\n{ended}");
    assert!(is_refusal(&ending), "{ending:?}\n{ended}");
}

#[test]
fn what_is_pipelined_behind_the_last_response_does_not_destroy_it() {
    let mut program = program!("routes").start();
    let mut client = Connection::to(&program.address()).expect("it listens");
    client.write(head("GET /held/first", 0).as_bytes()).expect("it listens");
    // The body is far longer than what the server reads ahead. A close with unread bytes resets the
    // connection, and a reset overtakes data.
    let body = vec![b'x'; 1 << 20];
    client.write((head("POST /upload", body.len())).as_bytes()).expect("it listens");
    client.write(&body).expect("it listens");
    program.wait_until_said("held first");
    program.signal(Signal::SIGTERM);
    program.wait_for("stopping");
    program.tell("first");
    // The response is on its way once the request counts as finished. The client reads it as late
    // as that.
    program.wait_for("exit code 0");
    let first = client.response().expect("a response");
    assert_eq!(first.body, "first");
    assert!(first.announces_close(), "{first:?}");
    let ending = client.ending();
    assert!(is_refusal(&ending), "{ending:?}");
    program.end().expect_code(0);
}

/// Returns whether nothing more came, or nothing that could be taken for anything but a refusal.
fn is_refusal(ending: &Ending) -> bool {
    match ending {
        Ending::Sent(text) => text.starts_with("HTTP/1.1 503 "),
        ending => *ending == Ending::Closed,
    }
}
