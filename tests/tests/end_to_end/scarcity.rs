//! A process that has no file descriptor left: connections wait in the system, and none is lost.

use std::net::TcpStream;

use crate::harness::{Signal, Start, own_address};
use crate::http::Connection;

type Client = Connection<TcpStream>;

/// Number of descriptors that the program may have.
const LIMIT: usize = 48;

fn connect(address: &str) -> Client {
    Connection::to(address).expect("it listens")
}

#[test]
fn a_stop_without_descriptors_serves_what_waits_once_there_are_some() {
    let admin = own_address();
    let program = Start::with_descriptors(env!("CARGO_BIN_EXE_routes"), LIMIT).args("workers=1");
    let mut program = program.env("LIFECYCLE_ADMIN", &admin).start().ready();
    let address = program.addresses().pop().expect("it listens");
    // Before there is none left: a probe needs one, too.
    let mut probe = connect(&admin);
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

    probe.send("GET /readyz").expect("it is connected");
    let readiness = probe.response().expect("an answer");
    assert_eq!(readiness.status, 503);
    assert!(readiness.body.contains("can't accept connections for"), "{readiness:?}");

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
