//! Signals: the first stops, the second hurries, the third ends the process.

use std::time::Duration;

use crate::harness::{Signal, Start, own_address, program};
use crate::http::{Connection, Lost};
use crate::load::Load;
use crate::{STARTED, STOPPED};

const SIGNALS: [(Signal, &str); 3] =
    [(Signal::SIGTERM, "SIGTERM"), (Signal::SIGINT, "SIGINT"), (Signal::SIGQUIT, "SIGQUIT")];

/// Returns a server that accepts slow clients: on a busy machine all clients are slow.
fn under_load() -> Start {
    program!("service").env("LIFECYCLE_BIND", own_address()).env("LIFECYCLE_QUIET_WINDOW", "10s")
}

#[test]
fn each_signal_stops_an_idle_server_in_order() {
    for (signal, name) in SIGNALS {
        let mut program = program!("service").start().ready();
        program.signal(signal);
        let ended = program.end();
        ended.expect_code(0).expect_did(&[&STARTED[..], &STOPPED].concat());
        ended.expect_said(&[&format!("stopping ({name})"), "exit code 0"]);
    }
}

#[test]
fn each_signal_stops_a_process_without_a_server() {
    for (signal, name) in SIGNALS {
        let mut program =
            program!("service").args("no-http").without_env("LIFECYCLE_BIND").start().ready();
        program.signal(signal);
        let ended = program.end();
        ended.expect_code(0).expect_did(&[&STARTED[..], &STOPPED].concat());
        ended.expect_said(&[&format!("stopping ({name})")]).expect_not_said(&["listening"]);
    }
}

#[test]
fn each_signal_stops_a_server_under_load_and_no_request_is_lost() {
    for (signal, _) in SIGNALS {
        let mut program = under_load().start();
        let paths = ["GET /", "GET /", "GET /rows", "GET /rows", "GET /streamed", "GET /streamed"];
        let load = Load::on(&program.address(), &paths);
        load.wait_for(500);
        program.signal(signal);
        let ended = program.end();
        load.end().expect_nothing_lost();
        ended.expect_code(0).expect_did(&[&STARTED[..], &STOPPED].concat());
    }
}

#[test]
fn a_request_in_flight_ends_before_the_first_shutdown_hook() {
    let mut program = program!("service").start();
    let mut client = Connection::to(&program.address()).expect("it listens");
    client.send("GET /held").expect("it listens");
    program.wait_until_said("held");
    program.signal(Signal::SIGTERM);
    program.wait_for("waiting for GET /held");
    program.tell("held");
    assert_eq!(client.response().expect("a response").body, "held");
    let ended = program.end();
    ended.expect_code(0).expect_did(&[&STARTED[..], &["held", "held dropped"], &STOPPED].concat());
}

#[test]
fn a_second_signal_cuts_requests_and_still_runs_teardowns() {
    for (second, _) in SIGNALS {
        let mut program = program!("service").start();
        let mut client = Connection::to(&program.address()).expect("it listens");
        client.send("GET /held").expect("it listens");
        program.wait_until_said("held");
        program.signal(Signal::SIGTERM);
        program.wait_for("stopping (SIGTERM)");
        program.signal(second);
        let ended = program.end();
        assert!(matches!(client.response(), Err(Lost::Unanswered)));
        ended.expect_code(3).expect_said(&[
            "hurrying",
            "request cut off: GET /held",
            "1 cut off",
            "exit code 3",
        ]);
        ended.expect_took(Duration::ZERO);
        // The program may drop the handler at any time, so its lines don't count.
        let hooks: Vec<_> =
            ended.did().into_iter().filter(|line| !line.starts_with("held")).collect();
        assert_eq!(hooks, [&STARTED[..], &STOPPED].concat(), "\n{ended}");
    }
}

#[test]
fn a_second_signal_cuts_the_drain_delay_short() {
    let mut program = program!("service").env("LIFECYCLE_DRAIN_DELAY", "20s").start().ready();
    program.signal(Signal::SIGTERM);
    program.wait_for("stopping (SIGTERM)");
    program.signal(Signal::SIGTERM);
    let ended = program.end();
    ended.expect_code(0).expect_took(Duration::ZERO).expect_did(&[&STARTED[..], &STOPPED].concat());
}

#[test]
fn a_second_signal_cuts_the_quiet_window_short() {
    let mut program = program!("service").env("LIFECYCLE_QUIET_WINDOW", "20s").start();
    let mut idle = Connection::to(&program.address()).expect("it listens");
    program.signal(Signal::SIGTERM);
    program.wait_for("stopping (SIGTERM)");
    program.signal(Signal::SIGTERM);
    assert!(idle.is_closed());
    // No client sent a request, so none was cut off.
    let ended = program.end();
    ended.expect_code(0).expect_took(Duration::ZERO).expect_did(&[&STARTED[..], &STOPPED].concat());
}

#[test]
fn a_third_signal_ends_the_process_although_requests_are_in_flight() {
    for (third, _) in SIGNALS {
        let mut program = program!("service").args("close_db=hang").start();
        let mut client = Connection::to(&program.address()).expect("it listens");
        client.send("GET /held").expect("it listens");
        program.wait_until_said("held");
        program.signal(Signal::SIGTERM);
        program.wait_for("stopping (SIGTERM)");
        program.signal(Signal::SIGTERM);
        program.wait_until_said("close_db");
        program.signal(third);
        let ended = program.end();
        ended
            .expect_code(128 + third as i32)
            .expect_took(Duration::ZERO)
            .expect_said(&["hurrying", "third signal"]);
        assert!(matches!(client.response(), Err(Lost::Unanswered)));
    }
}

#[test]
fn a_third_signal_ends_the_process_although_a_teardown_hangs() {
    for (third, name) in SIGNALS {
        let mut program = program!("service").args("close_db=hang").start().ready();
        program.signal(Signal::SIGTERM);
        program.wait_until_said("close_db");
        program.signal(Signal::SIGTERM);
        program.wait_for("hurrying");
        program.signal(third);
        let ended = program.end();
        let code = 128 + third as i32;
        ended.expect_code(code).expect_took(Duration::ZERO);
        ended.expect_said(&[&format!("third signal ({name}): exit at once, exit code {code}")]);
    }
}

#[test]
fn a_third_signal_ends_the_process_although_the_runtime_is_blocked() {
    let mut program = program!("service").args("flush=block").start().ready();
    program.signal(Signal::SIGTERM);
    program.wait_until_said("flush blocks");
    // Nothing shows that the runtime has heard the second signal, and two signals of one kind could
    // become one.
    program.signal(Signal::SIGINT);
    program.signal(Signal::SIGQUIT);
    let ended = program.end();
    assert!(matches!(ended.status.code(), Some(130 | 131)), "{}\n{ended}", ended.status);
    ended.expect_took(Duration::ZERO);
}

#[test]
fn two_signals_still_run_everything() {
    let mut program = program!("service").args("flush=wait").start().ready();
    program.signal(Signal::SIGTERM);
    program.wait_until_said("flush");
    program.signal(Signal::SIGINT);
    program.wait_for("hurrying");
    program.tell("flush");
    program.end().expect_code(0).expect_did(&[&STARTED[..], &STOPPED].concat());
}

#[test]
fn a_second_signal_under_load_still_runs_everything() {
    let mut program = under_load().start();
    let load =
        Load::on(&program.address(), &["GET /", "GET /rows", "GET /streamed", "GET /streamed"]);
    load.wait_for(200);
    program.signal(Signal::SIGTERM);
    program.wait_for("stopping");
    program.signal(Signal::SIGTERM);
    let ended = program.end();
    assert!(matches!(ended.status.code(), Some(0 | 3)), "{}\n{ended}", ended.status);
    ended.expect_took(Duration::ZERO).expect_did(&[&STARTED[..], &STOPPED].concat());
}
