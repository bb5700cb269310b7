//! Server that is stopped under load: every request that was sent is answered.

use crate::harness::{Signal, own_address, program};
use crate::http::Connection;
use crate::load::{Load, Shape};
use crate::tls::{tls, trust};

/// Quiet window that is longer than a busy machine keeps a client that has connected from sending
/// its request. A client that is quiet for longer may lose its connection.
const WINDOW: &str = "10s";

/// Stops a server under this load after this many answers.
fn expect_nothing_lost(address: &str, shape: Shape, answers: usize) {
    let mut program = program!("routes")
        .env("LIFECYCLE_BIND", address)
        .env("LIFECYCLE_QUIET_WINDOW", WINDOW)
        .start()
        .ready();
    let load = Load::start(address, shape, |_, _| "GET /".to_owned());
    load.wait_for(answers);
    program.signal(Signal::SIGTERM);
    // The program comes first: a client that connects while the listener closes may learn of that
    // only when it tries again, a second later.
    let ended = program.end();
    let outcome = load.end();
    outcome.expect_nothing_lost();
    println!("{outcome}; gone {:?} after the signal", ended.took);
    ended.expect_code(0).expect_did(&["flush", "close_db"]);
    // The server's report has the same number.
    ended.expect_said(&[&format!("{} requests finished, 0 cut off", outcome.answered.len())]);
}

#[test]
fn clients_in_a_closed_loop_lose_no_request() {
    expect_nothing_lost(&own_address(), Shape::CLOSED_LOOP, 2000);
}

#[test]
fn clients_that_think_lose_no_request() {
    expect_nothing_lost(&own_address(), Shape::THINKING, 2000);
}

#[test]
fn clients_with_a_connection_for_each_request_lose_no_request() {
    expect_nothing_lost(&own_address(), Shape::FRESH, 2000);
}

#[test]
fn clients_of_a_unix_socket_lose_no_request() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, shape) in
        [("loop", Shape::CLOSED_LOOP), ("thinking", Shape::THINKING), ("fresh", Shape::FRESH)]
    {
        expect_nothing_lost(&format!("unix:{}", folder.path().join(name).display()), shape, 1000);
    }
}

#[test]
fn clients_over_tls_lose_no_request() {
    let folder = tempfile::tempdir().expect("a folder");
    let certificate = folder.path().join("certificate");
    for (shape, answers) in
        [(Shape::CLOSED_LOOP, 1000), (Shape::THINKING, 1000), (Shape::FRESH, 200)]
    {
        let start = program!("routes").args(&format!("certificate={}", certificate.display()));
        let mut program = start
            .env("LIFECYCLE_BIND", own_address())
            .env("LIFECYCLE_QUIET_WINDOW", WINDOW)
            .start();
        let (address, trust) = (program.address(), trust(&certificate));
        let connect = move || {
            tls(&address, trust.clone()).map(|stream| Connection::over(Box::new(stream) as Box<_>))
        };
        let load = Load::over(connect, shape, |_, _| "GET /".to_owned());
        load.wait_for(answers);
        program.signal(Signal::SIGTERM);
        let ended = program.end();
        let outcome = load.end();
        outcome.expect_nothing_lost();
        println!("{outcome}; gone {:?} after the signal", ended.took);
        ended.expect_code(0);
    }
}
