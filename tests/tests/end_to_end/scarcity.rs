//! Process without a free file descriptor: connections wait in the system, and none is lost.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::harness::{Program, Signal, Start, own_address, system};
use crate::http::{Connection, Response};

type Client = Connection<TcpStream>;

/// Number of descriptors that the program may have.
const LIMIT: usize = 48;

/// Time for which no descriptor is left.
const WHILE: Duration = Duration::from_secs(3);

fn connect(address: &str) -> Client {
    Connection::to(address).expect("it listens")
}

/// Program with few descriptors, and its clients.
struct Scarce {
    program: Program,
    address: String,
    /// Address of the probes.
    admin: String,
    /// Clients whose requests wait for `slow` on stdin.
    busy: Vec<Client>,
}

impl Scarce {
    fn start(args: &str, set: impl FnOnce(Start) -> Start) -> Self {
        let admin = own_address();
        let start = Start::with_descriptors(env!("CARGO_BIN_EXE_routes"), LIMIT)
            .args("workers=1")
            .args(args);
        let mut program = set(start.env("LIFECYCLE_ADMIN", &admin)).start().ready();
        let address = program.addresses().pop().expect("it listens");
        Self { program, address, admin, busy: Vec::new() }
    }

    /// Sends a request to the probes, on a connection of its own.
    fn ask(&self, request: &str) -> Response {
        let mut probe = connect(&self.admin);
        probe.send(request).expect("it is connected");
        probe.response().expect("an answer")
    }

    fn more_busy(&mut self) {
        let mut client = connect(&self.address);
        client.send("GET /held/slow").expect("it listens");
        self.busy.push(client);
    }

    /// Takes every descriptor. The last client waits for the end of another.
    fn exhaust(mut self) -> Self {
        loop {
            self.more_busy();
            if self.program.wait_until_said_or(
                "held slow",
                self.busy.len(),
                "can't accept connections: ",
            ) {
                return self;
            }
        }
    }

    /// Opens connections that have sent a request, and wait to be accepted.
    fn waiting(&self) -> Vec<Client> {
        let mut waiting: Vec<Client> = (0..10).map(|_| connect(&self.address)).collect();
        for client in &mut waiting {
            client.send("GET /").expect("it is connected");
        }
        waiting
    }

    /// Asks the readiness probe until it answers that the program is ready.
    fn ask_until_ready(&self) {
        let begun = Instant::now();
        while self.ask("GET /readyz").status != 200 {
            assert!(begun.elapsed() < crate::harness::LIMIT, "it is never ready again");
        }
    }
}

#[test]
fn a_stop_without_descriptors_serves_what_waits_once_there_are_some() {
    let scarce = Scarce::start("", |start| start).exhaust();
    let mut waiting = scarce.waiting();

    for _ in 0..10 {
        let readiness = scarce.ask("GET /readyz");
        assert_eq!(readiness.status, 503);
        assert!(readiness.body.contains("can't accept connections for"), "{readiness:?}");
        assert_eq!(scarce.ask("GET /livez").status, 200);
    }

    let Scarce { mut program, mut busy, .. } = scarce;
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

#[test]
fn a_stop_that_gets_no_descriptor_ends_in_time() {
    let scarce = Scarce::start("", |start| start.env("LIFECYCLE_DRAIN_TIMEOUT", "1s")).exhaust();
    // These include the client that found no descriptor.
    let waiting = scarce.waiting();
    let ended = scarce.program.stop();
    let unaccepted =
        format!("{} connections still waited to be accepted, and were reset", waiting.len() + 1);
    ended
        .expect_code(3)
        .expect_took(Duration::from_secs(1))
        .expect_said(&["request cut off: GET /held/slow ", &unaccepted]);
    assert_eq!(ended.did().last_chunk(), Some(&["flush", "close_db"]), "\n{ended}");
}

#[test]
fn a_second_signal_waits_for_no_descriptor() {
    let scarce = Scarce::start("", |start| start).exhaust();
    let _waiting = connect(&scarce.address);
    let mut program = scarce.program;
    program.signal(Signal::SIGTERM);
    program.wait_for("stopping");
    program.signal(Signal::SIGTERM);
    let ended = program.end();
    ended
        .expect_code(3)
        .expect_took(Duration::ZERO)
        .expect_said(&["hurrying", "request cut off: GET /held/slow "]);
    assert_eq!(ended.did().last_chunk(), Some(&["flush", "close_db"]), "\n{ended}");
}

#[test]
fn that_nobody_can_be_accepted_is_told_once_and_so_is_that_it_is_over() {
    let mut scarce = Scarce::start("observes", |start| start).exhaust();
    let waiting = scarce.waiting();
    // The server has tried again many times meanwhile.
    let begun = Instant::now();
    scarce.program.wait_while(|| begun.elapsed() < WHILE);
    assert_eq!(scarce.ask("GET /readyz").status, 503);
    scarce.program.tell("slow");
    // Each client that ends makes room for another.
    for mut client in scarce.busy.drain(..).chain(waiting) {
        assert_eq!(client.response().expect("a response").status, 200);
    }
    scarce.program.wait_for("accepting connections again after");
    scarce.ask_until_ready();
    let ended = scarce.program.stop();
    ended.expect_code(0);
    for (said, observed) in [
        ("can't accept connections: ", "accept failed"),
        ("accepting connections again after ", "accept recovered"),
    ] {
        assert_eq!(ended.stderr().matches(said).count(), 1, "{said}\n{ended}");
        assert_eq!(
            ended.did().iter().filter(|line| **line == observed).count(),
            1,
            "{observed}\n{ended}"
        );
    }
}

#[test]
fn a_process_without_descriptors_that_nobody_waits_for_is_ready() {
    let mut scarce = Scarce::start("", |start| start);
    let pid = scarce.program.pid();
    while system::descriptors(pid, LIMIT) < LIMIT {
        scarce.more_busy();
        let so_far = scarce.busy.len();
        scarce.program.wait_until_said_times("held slow", so_far);
    }
    let begun = Instant::now();
    // This is longer than the server waits before it tries again.
    while begun.elapsed() < Duration::from_secs(1) {
        let readiness = scarce.ask("GET /readyz");
        assert_eq!(readiness.status, 200, "{readiness:?}");
    }
    scarce.program.tell("slow");
    scarce.program.stop().expect_code(0).expect_not_said(&["accept"]);
}

#[test]
fn a_start_that_gets_no_descriptor_fails_and_is_taken_back() {
    for limit in (6..20).chain([20, 40]) {
        let start = Start::with_descriptors(env!("CARGO_BIN_EXE_service"), limit);
        let ended = start.env("LIFECYCLE_WORKERS", "64").end();
        println!("{limit}:\n{ended}");
        ended
            .expect_code(1)
            .expect_said(&["Too many open files"])
            .expect_not_said(&["listening", "panicked"]);
        let (started, stopped): (Vec<_>, Vec<_>) =
            ended.did().into_iter().partition(|line| crate::STARTED.contains(line));
        let expected: &[&str] = if started.is_empty() { &[] } else { &crate::STOPPED };
        assert_eq!(stopped, expected, "{limit}\n{ended}");
    }
}
