//! A process that has no file descriptor left: connections wait in the system, and none is lost.

use std::net::TcpStream;

use crate::harness::{Signal, Start, own_address};
use crate::http::{Connection, Response};

type Client = Connection<TcpStream>;

/// Number of descriptors that the program may have.
const LIMIT: usize = 48;

fn connect(address: &str) -> Client {
    Connection::to(address).expect("it listens")
}

fn ask(address: &str, request: &str) -> Response {
    let mut client = connect(address);
    client.send(request).expect("it is connected");
    client.response().expect("an answer")
}

#[test]
fn a_stop_without_descriptors_serves_what_waits_once_there_are_some() {
    let admin = own_address();
    let program = Start::with_descriptors(env!("CARGO_BIN_EXE_routes"), LIMIT).args("workers=1");
    let mut program = program.env("LIFECYCLE_ADMIN", &admin).start().ready();
    let address = program.addresses().pop().expect("it listens");
    let mut busy = Vec::new();
    loop {
        let mut client = connect(&address);
        client.send("GET /held/slow").expect("it listens");
        busy.push(client);
        if program.wait_until_said_or("held slow", busy.len(), "can't accept connections: ") {
            break;
        }
    }
    let mut waiting: Vec<Client> = (0..10).map(|_| connect(&address)).collect();
    waiting.iter_mut().for_each(|client| client.send("GET /").expect("it is connected"));

    // Each probe comes on a connection of its own.
    for _ in 0..10 {
        let readiness = ask(&admin, "GET /readyz");
        assert_eq!(readiness.status, 503);
        assert!(readiness.body.contains("can't accept connections for"), "{readiness:?}");
        assert_eq!(ask(&admin, "GET /livez").status, 200);
    }

    program.signal(Signal::SIGTERM);
    program.wait_for("stopping");
    program.tell("slow");
    for client in busy.iter_mut().chain(&mut waiting) {
        assert_eq!(client.response().expect("a response").status, 200);
    }
    let ended = program.end();
    let answered = format!("{} requests finished, 0 cut off", busy.len() + waiting.len());
    ended.expect_code(0).expect_said(&[&answered]);
}
