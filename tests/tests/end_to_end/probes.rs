//! Probes, as a load balancer and a kubelet see them, from before the first hook until after the
//! last.

use std::net::TcpStream;

use crate::harness::{Program, Signal, program};
use crate::http::{Connection, request};

const PROBES: [&str; 3] = ["/livez", "/startupz", "/readyz"];

/// Returns the address of the probes.
fn admin(program: &mut Program) -> String {
    let line = program.wait_for("probes on http://");
    line.rsplit('/').next().expect("a URL").to_owned()
}

/// Asks every probe. Returns the status codes, and the body of the readiness probe.
fn ask(address: &str) -> ([String; 3], String) {
    let answers = PROBES.map(|path| request(address, &format!("GET {path}")).expect("an answer"));
    let body = answers[2].body.clone();
    (answers.map(|answer| answer.head.split(' ').nth(1).expect("a status").to_owned()), body)
}

/// Sends a request that stays in flight, and begins the stop.
fn stopping_with_a_request(program: &mut Program) -> Connection<TcpStream> {
    let mut client = Connection::to(&program.address()).expect("it listens");
    client.send("GET /held").expect("it listens");
    program.wait_until_said("held");
    program.signal(Signal::SIGTERM);
    program.wait_for("stopping");
    client
}

#[test]
fn probes_answer_before_the_first_hook_has_started() {
    let mut program =
        program!("service").args("db=wait").env("LIFECYCLE_ADMIN", "127.0.0.1:0").start();
    let address = admin(&mut program);
    program.wait_for("start db");
    let (codes, body) = ask(&address);
    assert_eq!(codes, ["200", "503", "503"]);
    assert!(
        body.starts_with(
            r#"{"status":"fail","state":"starting","reason":"the start is not over","#
        ),
        "{body}"
    );
    assert!(body.contains(r#""waiting_for":["db "#), "{body}");
    program.tell("db");
    let mut program = program.ready();
    assert_eq!(ask(&address).0, ["200", "200", "200"]);
    program.signal(Signal::SIGTERM);
    program.end().expect_code(0);
    assert!(request(&address, "GET /livez").is_err(), "the process is gone");
}

#[test]
fn readiness_turns_with_the_signal_and_liveness_stays_until_the_end() {
    let mut program =
        program!("service").args("close_db=wait").env("LIFECYCLE_ADMIN", "127.0.0.1:0").start();
    let address = admin(&mut program);
    let mut client = stopping_with_a_request(&mut program);
    let (codes, body) = ask(&address);
    assert_eq!(codes, ["200", "200", "503"]);
    let why = concat!(
        r#"{"status":"fail","state":"draining","reason":"the process is stopping","#,
        r#""waiting_for":["GET /held "#
    );
    assert!(body.starts_with(why), "{body}");
    program.tell("held");
    assert_eq!(client.response().expect("a response").body, "held");
    program.wait_for("tear down close_db");
    let (codes, body) = ask(&address);
    assert_eq!(codes, ["200", "200", "503"]);
    assert!(
        body.contains(r#""state":"stopping""#) && body.contains(r#""waiting_for":["close_db "#),
        "{body}"
    );
    program.tell("close_db");
    program.end().expect_code(0);
}

#[test]
fn readiness_may_stay_while_requests_drain() {
    let program = program!("service").env("LIFECYCLE_ADMIN", "127.0.0.1:0");
    let mut program = program.env("LIFECYCLE_READY_WHILE_DRAINING", "on").start();
    let address = admin(&mut program);
    let _client = stopping_with_a_request(&mut program);
    let (codes, body) = ask(&address);
    assert_eq!(codes, ["200", "200", "200"]);
    assert!(body.contains(r#""state":"draining""#), "{body}");
    program.tell("held");
    program.end().expect_code(0);
}

#[test]
fn a_start_that_has_failed_is_never_ready() {
    let program =
        program!("service").args("warm=fail close_db=wait").env("LIFECYCLE_ADMIN", "127.0.0.1:0");
    let mut program = program.start();
    let address = admin(&mut program);
    program.wait_for("tear down close_db");
    let (codes, body) = ask(&address);
    assert_eq!(codes, ["200", "503", "503"]);
    assert!(body.contains(r#""reason":"the start has failed""#), "{body}");
    program.tell("close_db");
    program.end().expect_code(1);
}

#[test]
fn probes_answer_while_every_worker_is_blocked() {
    let program =
        program!("service").env("LIFECYCLE_ADMIN", "127.0.0.1:0").env("LIFECYCLE_WORKERS", "1");
    let mut program = program.env("LIFECYCLE_GRACE", "6s").start();
    let address = admin(&mut program);
    let mut client = Connection::to(&program.address()).expect("it listens");
    client.send("GET /block").expect("it listens");
    program.wait_until_said("block");
    assert_eq!(ask(&address).0, ["200", "200", "200"]);
    program.signal(Signal::SIGTERM);
    program.wait_for("stopping");
    assert_eq!(ask(&address).0, ["200", "200", "503"]);
    program.end().expect_code(3);
}

#[test]
fn an_app_may_answer_the_probes_itself() {
    let mut program =
        program!("service").env("LIFECYCLE_DRAIN_DELAY", "1m").env("LIFECYCLE_GRACE", "2m").start();
    let address = program.address();
    let mut program = program.ready();
    assert_eq!(ask(&address).0, ["200", "200", "200"]);
    let head = request(&address, "GET /readyz").expect("an answer").head;
    assert!(
        head.contains("content-type: application/json") && head.contains("cache-control: no-store"),
        "{head}"
    );
    program.signal(Signal::SIGTERM);
    program.wait_for("stopping");
    assert_eq!(ask(&address).0, ["200", "200", "503"]);
    program.signal(Signal::SIGTERM);
    program.end().expect_code(0);
}

#[test]
fn an_address_that_is_taken_fails_before_the_first_hook() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("its address").to_string();
    let ended = program!("service").env("LIFECYCLE_ADMIN", &address).start().end();
    ended.expect_code(1).expect_did(&[]).expect_said(&[&format!("can't listen on {address}")]);
}

#[test]
fn an_app_tells_strangers_nothing_of_other_clients() {
    let start = program!("service")
        .env("LIFECYCLE_DRAIN_DELAY", "1m")
        .env("LIFECYCLE_ADMIN", "127.0.0.1:0");
    let mut program = start.start();
    let (admin, address) = (admin(&mut program), program.address());
    let _client = stopping_with_a_request(&mut program);
    for path in PROBES {
        let body = request(&address, &format!("GET {path}")).expect("an answer").body;
        assert!(!body.contains("held"), "{path}: {body}");
    }
    let body = request(&address, "GET /readyz").expect("an answer").body;
    assert!(body.contains(r#""waiting_for":["the HTTP server"]"#), "{body}");
    // An operator sees the requests.
    assert!(ask(&admin).1.contains("GET /held"));
}

#[test]
fn a_drain_delay_that_no_balancer_hears_of_is_said_to_be_useless() {
    let start = || program!("service").env("LIFECYCLE_DRAIN_DELAY", "1ms");
    let line = "ready_while_draining makes the drain_delay of 1.0 ms useless behind a balancer";
    let ended = start().env("LIFECYCLE_READY_WHILE_DRAINING", "on").start().ready().stop();
    ended.expect_code(0).expect_said(&[line]);
    start().start().ready().stop().expect_code(0).expect_not_said(&["useless"]);
}
