//! Requests that get nowhere: they are cut off at the drain's deadline and named, and no hook is
//! left out because of them.

use std::net::TcpStream;
use std::time::Duration;

use crate::harness::{Program, Signal, program};
use crate::http::{Connection, head};

type Client = Connection<TcpStream>;

/// Function that sends a request, and returns once that is stuck.
type Begin = fn(&mut Program) -> Client;

/// Kinds of request: the name in the report, and the function that begins one.
const SORTS: [(&str, Begin); 3] =
    [("POST /upload", upload), ("GET /large", reader), ("GET /asleep", asleep)];

/// Sends half of an upload, and never the rest.
fn upload(program: &mut Program) -> Client {
    let mut client = Connection::to(&program.address()).expect("it listens");
    client.write(head("POST /upload", 200_000).as_bytes()).expect("it listens");
    client.write(&[b'x'; 10_000]).expect("it listens");
    program.wait_until_said("upload");
    client
}

/// Requests a large response, and never reads it.
fn reader(program: &mut Program) -> Client {
    let mut client = Connection::to(&program.address()).expect("it listens");
    client.send("GET /large").expect("it listens");
    program.wait_until_said("large");
    client
}

/// Requests a handler that waits for a minute.
fn asleep(program: &mut Program) -> Client {
    let mut client = Connection::to(&program.address()).expect("it listens");
    client.send("GET /asleep").expect("it listens");
    program.wait_until_said("asleep");
    client
}

#[test]
fn a_request_that_is_stuck_is_cut_and_named_when_its_time_is_over() {
    for (name, begin) in SORTS {
        let mut program = program!("routes").env("LIFECYCLE_DRAIN_TIMEOUT", "1s").start();
        let mut client = begin(&mut program);
        let ended = program.stop();
        ended.expect_code(3).expect_took(Duration::from_secs(1));
        ended
            .expect_said(&[&format!("request cut off: {name} "), "0 requests finished, 1 cut off"]);
        assert_eq!(ended.did()[1..], ["flush", "close_db"], "\n{ended}");
        assert!(client.response().is_err(), "{name} was cut and looks whole");
    }
}

#[test]
fn requests_that_are_stuck_together_are_cut_together() {
    let mut program = program!("routes").env("LIFECYCLE_DRAIN_TIMEOUT", "1s").start();
    let clients = SORTS.map(|(_, begin)| begin(&mut program));
    let mut healthy = Connection::to(&program.address()).expect("it listens");
    healthy.send("GET /held/healthy").expect("it listens");
    program.wait_until_said("held healthy");
    program.signal(Signal::SIGTERM);
    program.wait_for("stopping");
    program.tell("healthy");
    assert_eq!(healthy.response().expect("a response").body, "healthy");
    let ended = program.end();
    ended
        .expect_code(3)
        .expect_took(Duration::from_secs(1))
        .expect_said(&["1 request finished, 3 cut off"]);
    for (name, _) in SORTS {
        ended.expect_said(&[&format!("request cut off: {name} ")]);
    }
    let did = ended.did();
    assert_eq!(did[did.len() - 2..], ["flush", "close_db"], "\n{ended}");
    drop(clients);
}

#[test]
fn a_second_signal_cuts_what_is_stuck_at_once() {
    let mut program = program!("routes").start();
    let clients = SORTS.map(|(_, begin)| begin(&mut program));
    program.signal(Signal::SIGTERM);
    program.wait_for("stopping");
    program.signal(Signal::SIGTERM);
    let ended = program.end();
    ended
        .expect_code(3)
        .expect_took(Duration::ZERO)
        .expect_said(&["hurrying", "0 requests finished, 3 cut off"]);
    for (name, _) in SORTS {
        ended.expect_said(&[&format!("request cut off: {name} ")]);
    }
    let did = ended.did();
    assert_eq!(did[did.len() - 2..], ["flush", "close_db"], "\n{ended}");
    drop(clients);
}
