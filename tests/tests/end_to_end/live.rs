//! State on SIGUSR1, which may be asked for at any time, and is harmless at any time.

use crate::harness::{Signal, program};
use crate::http::Connection;
use crate::{STARTED, STOPPED};

#[test]
fn it_shows_what_the_start_waits_for() {
    let mut program = program!("service").args("db=wait").start();
    program.wait_until_said("db");
    program.signal(Signal::SIGUSR1);
    program.wait_for("lifecycle: starting for ");
    let hook = program.wait_for("lifecycle:   db (");
    assert!(
        hook.contains("db (tests/src/bin/service.rs:") && hook.contains(", #[on_startup]) "),
        "{hook}"
    );
    program.tell("db");
    program.ready().stop().expect_code(0);
}

#[test]
fn it_shows_the_requests_in_flight() {
    let mut program = program!("service").start();
    let address = program.address();
    let mut program = program.ready();
    program.signal(Signal::SIGUSR1);
    let line = program.wait_for("lifecycle: ready for ");
    assert!(line.ends_with(", running nothing"), "{line}");
    let mut client = Connection::to(&address).expect("it listens");
    client.send("GET /held").expect("it listens");
    program.wait_until_said("held");
    program.signal(Signal::SIGUSR1);
    program.wait_for("lifecycle:   GET /held ");
    program.tell("held");
    client.response().expect("a response");
    program.stop().expect_code(0);
}

#[test]
fn it_shows_what_the_stop_waits_for_while_the_runtime_is_blocked() {
    let mut program =
        program!("service").args("flush=block").env("LIFECYCLE_GRACE", "20s").start().ready();
    program.signal(Signal::SIGTERM);
    program.wait_until_said("flush blocks");
    program.signal(Signal::SIGUSR1);
    program.wait_for("lifecycle: stopping (SIGTERM) for ");
    program.wait_for("lifecycle:   flush (");
}

#[test]
fn it_shows_the_drain_delay_and_beside_it_what_goes_on_until_it_is_told() {
    let mut program = program!("services").env("LIFECYCLE_DRAIN_DELAY", "10m").start().ready();
    program.signal(Signal::SIGTERM);
    program.wait_for("waiting for the drain delay, ");
    program.signal(Signal::SIGUSR1);
    program.wait_for("lifecycle: draining (SIGTERM) for ");
    program.wait_for("lifecycle:   the drain delay, ");
    program.wait_for("lifecycle: running:");
    program.wait_for("#[service]) running ");
    program.signal(Signal::SIGTERM);
    program.end();
}

#[test]
fn it_never_changes_how_a_process_ends() {
    let mut program = program!("service").start();
    program.signal_until(Signal::SIGUSR1, "ready after");
    program.signal(Signal::SIGTERM);
    program.signal_until(Signal::SIGUSR1, "exit code 0");
    // The report is the program's last line, but not the last thing that it does.
    (0..1000).for_each(|_| program.signal(Signal::SIGUSR1));
    program.end().expect_code(0).expect_did(&[&STARTED[..], &STOPPED].concat());
}
