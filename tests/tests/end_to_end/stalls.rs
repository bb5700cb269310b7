//! Threads that do not go on: they are reported with the code that is to blame, and probes fail
//! where nothing but a restart helps.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::harness::{Program, Signal, program};
use crate::http::{Connection, Response, request};
use crate::load::{Load, Shape};

/// Time after which a stall is reported.
const AFTER: &str = "1s";

fn stalls() -> Program {
    program!("stalls").env("LIFECYCLE_STALL_AFTER", AFTER).start().ready()
}

/// Returns the address of the probes.
fn admin(program: &mut Program) -> String {
    let line = program.wait_for("probes on http://");
    line.rsplit('/').next().expect("a URL").to_owned()
}

fn ask(address: &str, path: &str) -> Response {
    request(address, &format!("GET {path}")).expect("an answer")
}

/// Asks a probe until its answer has this status.
fn wait_for_status(program: &mut Program, admin: &str, path: &str, status: u16) -> String {
    program.wait_while(|| ask(admin, path).status != status);
    ask(admin, path).body
}

/// Sends a request that blocks the worker that it comes to, or its blocking pool, until it is told
/// by its name.
fn block(program: &mut Program, place: &str, name: &str) -> Connection<TcpStream> {
    let mut client = Connection::to(&program.address()).expect("it listens");
    client.send(&format!("GET /{place}/{name}")).expect("it listens");
    program.wait_until_said(&format!("{name} blocks"));
    client
}

#[test]
fn a_worker_that_is_blocked_is_reported_with_the_request_that_blocks_it() {
    let mut program = stalls();
    let admin = admin(&mut program);
    let mut client = block(&mut program, "block", "first");
    let url = format!("http://{}", program.address());
    let line = program.wait_for("blocked by GET /block/first");
    assert!(line.contains("worker ") && line.contains(&format!(" of {url} has been")), "{line}");
    let answer = ask(&admin, "/readyz");
    assert_eq!(answer.status, 200, "the other worker answers: {}", answer.body);
    assert!(answer.body.contains(r#""notes":["worker "#), "{}", answer.body);
    program.tell("first");
    assert_eq!(client.response().expect("a response").body, "first");
    let line = program.wait_for("goes on after a stall of");
    assert!(line.contains(&url), "{line}");
    assert!(!ask(&admin, "/readyz").body.contains("notes"));
    program.stop().expect_code(0);
}

#[test]
fn a_server_whose_workers_are_all_blocked_is_not_ready_and_then_not_alive() {
    let mut program = program!("stalls")
        .env("LIFECYCLE_STALL_AFTER", AFTER)
        .env("LIFECYCLE_STALL_TIMEOUT", "2s")
        .start()
        .ready();
    let admin = admin(&mut program);
    // Connections go to the workers in turn.
    let clients = ["first", "second"].map(|name| block(&mut program, "block", name));
    let body = wait_for_status(&mut program, &admin, "/readyz", 503);
    assert!(body.contains(r#""reason":"all workers of http://"#), "{body}");
    let body = wait_for_status(&mut program, &admin, "/livez", 503);
    assert!(body.contains(r#""reason":"all workers of http://"#), "{body}");
    assert!(!body.contains("/block/"), "paths are not for everybody: {body}");
    program.wait_for("; /readyz fails");
    program.tell("first");
    wait_for_status(&mut program, &admin, "/livez", 200);
    wait_for_status(&mut program, &admin, "/readyz", 200);
    program.tell("second");
    drop(clients);
    program.stop().expect_code(0);
}

#[test]
fn hooks_that_block_their_runtime_are_named_and_the_process_is_not_alive() {
    let mut program = program!("stalls")
        .env("LIFECYCLE_STALL_AFTER", AFTER)
        .env("LIFECYCLE_STALL_TIMEOUT", "2s")
        .start()
        .ready();
    let admin = admin(&mut program);
    program.tell("hooks");
    let line = program.wait_for("the hooks' runtime has been stalled for");
    assert!(line.contains("blocked by service `pump` (tests/src/bin/stalls.rs:"), "{line}");
    let line = program.wait_for("; /livez fails");
    assert!(line.contains("the hooks' runtime has been stalled for 2"), "{line}");
    let body = wait_for_status(&mut program, &admin, "/livez", 503);
    assert!(body.contains(r#""reason":"the hooks' runtime has been stalled for "#), "{body}");
    // Its result is older than its interval, its timeout and the time of a stall.
    let body = wait_for_status(&mut program, &admin, "/readyz", 503);
    assert!(body.contains("health check `ping` "), "{body}");
    assert_eq!(ask(&program.address(), "/").body, "ok", "requests are answered");
    program.tell("hooks go on");
    program.wait_for("the hooks' runtime goes on after a stall of");
    wait_for_status(&mut program, &admin, "/livez", 200);
    wait_for_status(&mut program, &admin, "/readyz", 200);
    program.stop().expect_code(0);
}

#[test]
fn a_blocking_pool_whose_threads_are_all_busy_is_reported() {
    let mut program = stalls();
    let admin = admin(&mut program);
    let mut client = block(&mut program, "pool", "first");
    let line = program.wait_for("the blocking pool of worker ");
    assert!(line.ends_with("all of its threads are busy"), "{line}");
    assert_eq!(ask(&admin, "/readyz").status, 200, "other requests are answered");
    program.tell("first");
    assert_eq!(client.response().expect("a response").body, "first");
    program.wait_for("goes on after a stall of");
    program.stop().expect_code(0);
}

#[test]
fn a_process_that_was_suspended_is_not_stalled() {
    let mut program = stalls();
    program.signal(Signal::SIGSTOP);
    // What is tested is that this time does not count.
    std::thread::sleep(Duration::from_secs(4));
    program.signal(Signal::SIGCONT);
    let admin = admin(&mut program);
    for _ in 0..20 {
        assert_eq!(ask(&admin, "/livez").status, 200);
    }
    program.stop().expect_code(0).expect_not_said(&["stalled"]);
}

/// Seconds of load, unless `LIFECYCLE_STALL_LOAD` says otherwise.
const LOAD: u64 = 10;

#[test]
fn a_server_under_full_load_is_not_stalled() {
    let seconds = std::env::var("LIFECYCLE_STALL_LOAD").ok().and_then(|text| text.parse().ok());
    let time = Duration::from_secs(seconds.unwrap_or(LOAD));
    let mut program = program!("stalls").start().ready();
    let began = Instant::now();
    let load = Load::start(&program.address(), Shape::CLOSED_LOOP, |_, _| "GET /".to_owned());
    let mut answers = 0;
    while began.elapsed() < time {
        answers += 1_000;
        load.wait_for(answers);
    }
    program.signal(Signal::SIGTERM);
    let ended = program.end();
    load.end().expect_nothing_lost();
    ended.expect_code(0).expect_not_said(&["stalled"]);
}
