//! Causes of a stop: signals in bursts, a terminal that is gone, the program itself, its services.

use std::thread;
use std::time::{Duration, Instant};

use lifecycle_tests::skipped;
use nix::unistd::Pid;

use crate::harness::{Signal, Start, program, system};
use crate::http::{Connection, request};
use crate::serve;

/// Lines that the hooks of `handlers serve` say.
const HOOKS: [&str; 3] = ["db", "flush", "close_db"];

/// Reason why a test of SIGHUP is skipped.
const STARTED_BY_NOHUP: &str = "these tests were started by `nohup`";

#[test]
fn a_stop_that_is_sent_twice_at_once_cuts_nothing_off() {
    for pause in [0, 5, 50, 200] {
        let mut program = serve("").start();
        let mut client = Connection::to(&program.address()).expect("it listens");
        client.send("GET /held").expect("it listens");
        program.wait_until_said("held");
        program.signal(Signal::SIGTERM);
        program.wait_for("stopping (SIGTERM)");
        // The pause is that of a terminal or of `timeout`, which send several signals.
        thread::sleep(Duration::from_millis(pause));
        program.signal_at_once(Signal::SIGINT);
        // The signal is of another kind, so that the program hears it by itself.
        program.wait_for("waiting for GET /held");
        program.tell("held");
        assert_eq!(client.response().expect("a response").body, "held");
        program.end().expect_code(0).expect_not_said(&["hurrying"]);
    }
}

#[test]
fn no_burst_of_signals_skips_a_hook() {
    let mut program = serve("deregister").start().ready();
    for _ in 0..50 {
        for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGHUP] {
            program.signal_at_once(signal);
        }
        // The pause is the pace of the bursts, which go on for a second.
        thread::sleep(Duration::from_millis(20));
    }
    program.wait_until_said("deregister");
    program.tell("deregister");
    let ended = program.end();
    ended
        .expect_code(0)
        .expect_did(&["db", "deregister", "flush", "close_db"])
        .expect_not_said(&["third signal"]);
}

#[test]
fn a_terminal_that_is_gone_stops_it_as_sigterm_does() {
    if system::ignores(Pid::this(), Signal::SIGHUP) {
        return skipped(STARTED_BY_NOHUP);
    }
    let mut program = serve("").start().ready();
    let began = Instant::now();
    program.signal(Signal::SIGHUP);
    let ended = program.end();
    ended.expect_code(0).expect_did(&HOOKS).expect_said(&["stopping (SIGHUP)"]);
    assert!(ended.took <= began.elapsed(), "it counts from the signal: {ended}");
}

#[test]
fn a_signal_after_that_of_the_terminal_hurries() {
    if system::ignores(Pid::this(), Signal::SIGHUP) {
        return skipped(STARTED_BY_NOHUP);
    }
    let mut program = serve("deregister").start().ready();
    program.signal(Signal::SIGHUP);
    program.signal(Signal::SIGTERM);
    program.wait_for("hurrying");
    program.tell("deregister");
    program.end().expect_said(&["stopping (SIGHUP)"]);
}

#[test]
#[cfg(target_os = "linux")]
fn what_was_started_to_outlive_its_terminal_does() {
    let script = "trap '' HUP; exec \"$0\" serve";
    let mut program = Start::script(env!("CARGO_BIN_EXE_handlers"), script).start();
    let address = program.address();
    program.signal(Signal::SIGHUP);
    // The system ignores the signal, so nothing of it is on its way.
    assert_eq!(request(&address, "GET /").expect("a response").body, "ok");
    program.stop().expect_code(0).expect_did(&HOOKS).expect_not_said(&["SIGHUP"]);
}

#[test]
fn the_first_signal_after_a_stop_by_the_program_is_answered_and_hurries_nothing() {
    let mut program = serve("").start();
    let address = program.address();
    let mut client = Connection::to(&address).expect("it listens");
    client.send("GET /held").expect("it listens");
    program.wait_until_said("held");
    assert_eq!(request(&address, "POST /stop").expect("a response").body, "stopping");
    program.wait_for("stopping (requested by the program)");
    program.signal(Signal::SIGINT);
    program.wait_for("SIGINT: stopping already; again to hurry");
    program.tell("held");
    assert_eq!(client.response().expect("a response").body, "held");
    program.end().expect_code(0).expect_not_said(&["hurrying"]);
}

#[test]
fn the_first_signal_after_a_stop_by_a_service_is_answered_and_hurries_nothing() {
    let mut program = serve("feed").start();
    let mut client = Connection::to(&program.address()).expect("it listens");
    client.send("GET /held").expect("it listens");
    program.wait_until_said("held");
    program.tell("feed");
    program.wait_for("stopping (");
    program.signal(Signal::SIGINT);
    program.wait_for("SIGINT: stopping already; again to hurry");
    program.tell("held");
    assert_eq!(client.response().expect("a response").body, "held");
    let ended = program.end();
    ended.expect_code(3).expect_said(&["the feed has ended"]).expect_not_said(&["hurrying"]);
}

#[test]
fn a_health_check_that_reports_a_failure_ends_the_program_with_it() {
    let mut program = serve("index_check").start().ready();
    program.tell("index_check");
    let ended = program.end();
    ended.expect_code(3).expect_did(&HOOKS);
    ended.expect_said(&["stopping (the program failed: the index is broken)", "exit code 3"]);
}

#[test]
fn a_service_that_stops_the_program_at_once_is_no_failure() {
    for _ in 0..20 {
        let ended = program!("handlers").args("quits").end();
        ended.expect_code(0).expect_said(&["requested by the program"]);
        let did = ended.did();
        assert_eq!(did.contains(&"db"), did.contains(&"close_db"), "\n{ended}");
    }
}

#[test]
fn a_program_that_reports_a_failure_ends_with_it() {
    let mut program = serve("").start();
    let address = program.address();
    assert_eq!(request(&address, "POST /fail").expect("a response").status, 500);
    let ended = program.end();
    ended.expect_code(3).expect_did(&HOOKS);
    ended.expect_said(&["stopping (the program failed: the disk is on fire)", "exit code 3"]);
    // A failure that is reported during the start makes the start fail.
    let ended = serve("db=report").end();
    ended.expect_code(1).expect_said(&["start failed: the program failed: the disk is on fire"]);
}

#[test]
fn a_failure_that_is_reported_during_a_stop_counts() {
    let mut program = serve("deregister").start();
    let address = program.address();
    program.signal(Signal::SIGTERM);
    program.wait_until_said("deregister");
    assert_eq!(request(&address, "POST /fail").expect("a response").status, 500);
    program.tell("deregister");
    let ended = program.end();
    ended
        .expect_code(3)
        .expect_said(&["stopping (SIGTERM)", "the program failed: the disk is on fire"]);
}

#[test]
fn a_program_without_a_server_ends_when_its_services_are_done() {
    let job = || program!("handlers").args("job").without_env("LIFECYCLE_BIND");
    let mut program = job().start().ready();
    program.tell("job");
    let ended = program.end();
    ended.expect_code(0).expect_did(&["db", "job done", "flush", "close_db"]);
    ended.expect_said(&["stopping (all services are done)"]);

    let mut program = job().env("LIFECYCLE_KEEP_RUNNING", "on").start().ready();
    program.tell("job");
    program.wait_for("done job");
    program.stop().expect_code(0).expect_said(&["stopping (SIGTERM)"]);
}

#[test]
fn a_ready_hook_that_stops_the_program_is_no_failure() {
    for _ in 0..20 {
        program!("handlers").args("ready").end().expect_code(0).expect_did(&HOOKS);
    }
}

#[test]
fn a_stop_before_the_run_starts_nothing() {
    for _ in 0..50 {
        let ended = program!("handlers").args("before").end();
        ended.expect_code(0).expect_did(&[]);
        ended.expect_said(&[
            "stopped before the start: requested by the program: nothing was started, exit code 0",
        ]);
    }
}

#[test]
fn a_failure_that_an_observer_of_the_end_reports_counts() {
    let observed = program!("handlers").args("observer").without_env("LIFECYCLE_BIND");
    let ended = observed.start().ready().stop();
    ended.expect_code(3).expect_said(&["the last metric is lost", "exit code 3"]);
}
