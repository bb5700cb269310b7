//! Stops by code, and runs inside of programs that go on afterwards.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use crate::harness::{Signal, program};
use crate::http::{Connection, Lost, request};
use crate::{STARTED, STOPPED};

const WAYS: [&str; 4] = ["run", "run-inside", "multi", "current"];

#[test]
fn a_handler_stops_the_process_and_its_own_response_is_whole() {
    let mut program = program!("service").start();
    let response = request(&program.address(), "POST /stop").expect("a response");
    assert_eq!(response.body, "stopping");
    let ended = program.end();
    ended.expect_code(0).expect_did(&[&STARTED[..], &STOPPED].concat());
    ended.expect_said(&["stopping (requested by the program)"]);
}

#[test]
fn a_startup_hook_stops_the_start() {
    let ended = program!("service").args("stops_at_once").end();
    ended.expect_code(0).expect_not_said(&["listening", "failed"]);
    ended.expect_did(
        &[&STARTED[..], &["stops_at_once", "stops_at_once dropped"], &STOPPED].concat(),
    );
    ended.expect_said(&[
        "stopped during the start (requested by the program), rolling back what has started",
    ]);
}

#[test]
fn another_thread_stops_it_however_it_is_run() {
    for way in WAYS {
        let mut program = program!("embedded").args(way).start().ready();
        program.tell("stop");
        let ended = program.end();
        ended.expect_code(0).expect_said(&["stopping (requested by the program)"]);
        let did = ended.did();
        assert_eq!(did.first(), Some(&"store"), "{ended}");
        assert_eq!(did.last(), Some(&"over"), "{ended}");
        for line in ["finish", "close_store of the library"] {
            assert!(did.contains(&line), "{ended}");
        }
    }
}

#[test]
fn another_thread_hurries_it() {
    for way in WAYS {
        let mut program = program!("embedded").args(way).start();
        let mut client = Connection::to(&program.address()).expect("it listens");
        client.send("GET /held").expect("it listens");
        program.wait_until_said("held");
        program.tell("hurry");
        let ended = program.end();
        ended.expect_code(3).expect_said(&["request cut off: GET /held"]);
        assert!(matches!(client.response(), Err(Lost::Unanswered)));
    }
}

#[test]
fn a_program_without_a_server_waits_to_be_stopped() {
    for way in WAYS {
        let start =
            program!("embedded").args(&format!("{way} no-http")).without_env("LIFECYCLE_BIND");
        let mut program = start.start().ready();
        program.signal(Signal::SIGTERM);
        program.end().expect_code(0).expect_not_said(&["listening"]);
    }
}

#[test]
fn a_signal_stops_it_inside_of_another_runtime_which_gets_the_report() {
    for way in ["multi", "current"] {
        let mut program = program!("embedded").args(way).start();
        let mut client = Connection::to(&program.address()).expect("it listens");
        client.send("GET /held").expect("it listens");
        program.wait_until_said("held");
        program.signal(Signal::SIGINT);
        program.wait_for("stopping (SIGINT)");
        program.tell("held");
        assert_eq!(client.response().expect("a response").body, "held");
        let ended = program.end();
        ended.expect_code(0);
        assert!(ended.did().ends_with(&["alive", "over"]), "{ended}");
        assert!(ended.did().iter().any(|line| line.starts_with("report: ")), "{ended}");
    }
}

#[test]
fn after_serve_a_signal_ends_the_process_by_default_again() {
    for way in ["multi", "current"] {
        for signal in [Signal::SIGINT, Signal::SIGTERM] {
            let mut program = program!("embedded").args(&format!("{way} linger")).start().ready();
            program.signal(Signal::SIGTERM);
            program.wait_until_said("over");
            program.signal(signal);
            let ended = program.end();
            assert_eq!(
                ended.status.signal(),
                Some(signal as i32),
                "{way}: {}\n{ended}",
                ended.status
            );
        }
    }
}

#[test]
fn after_serve_nothing_of_it_ends_the_process() {
    for way in ["multi", "current"] {
        let start =
            program!("embedded").args(&format!("{way} linger")).env("LIFECYCLE_GRACE", "1s");
        let mut program = start.start().ready();
        program.signal(Signal::SIGTERM);
        program.wait_until_said("over");
        let over = std::time::Instant::now();
        program.wait_while(|| over.elapsed() < Duration::from_millis(1_500));
        program.tell("exit");
        program.end().expect_code(0);
    }
}

#[test]
fn without_signals_a_signal_does_what_it_ever_did() {
    for way in WAYS {
        let mut program = program!("embedded").args(&format!("{way} no-signals")).start().ready();
        program.signal(Signal::SIGTERM);
        let ended = program.end();
        assert_eq!(
            ended.status.signal(),
            Some(Signal::SIGTERM as i32),
            "{way}: {}\n{ended}",
            ended.status
        );
    }
}

#[test]
fn a_hook_that_the_linker_left_out_is_refused_if_it_is_expected() {
    let path = "lifecycle_tests_store::db::connection";
    let program =
        program!("library").args(&format!("lifecycle_tests::store::store {path} library::indexes"));
    let ended = program.without_env("LIFECYCLE_BIND").end();
    ended.expect_code(2).expect_did(&[]).expect_said(&[
        &format!(
            "no hook has the path `{path}`, which is expected; a crate that no code names is \
                  not linked: write"
        ),
        "`use lifecycle_tests_store as _;`",
        "no hook has the path `library::indexes`, which is expected; did you mean \
         `library::index`?",
        "nothing was started, exit code 2",
    ]);
    ended.expect_not_said(&["`lifecycle_tests::store::store`"]);
}

#[test]
fn hooks_that_are_expected_and_there_run() {
    let program = program!("library").args("lifecycle_tests::store::store library::save_index");
    program.without_env("LIFECYCLE_BIND").start().ready().stop().expect_code(0);
}

#[test]
fn hooks_of_a_library_run_before_and_after_what_builds_on_them() {
    let program = program!("library").without_env("LIFECYCLE_BIND");
    let ended = program.start().ready().stop();
    ended.expect_code(0);
    ended.expect_did(&[
        "store",
        "index of the library",
        "save_index of the library",
        "close_store of the library",
    ]);
}

#[test]
fn a_dependency_without_the_framework_is_a_500_that_tells_only_the_log() {
    let mut program = program!("bare").start();
    let response = request(&program.address(), "GET /content").expect("a response");
    assert_eq!((response.status, response.body.as_str()), (500, "internal server error"));
    let line = program.wait_for("ERROR");
    for part in ["GET /content", "store", "built without the framework", "Lifecycle::http"] {
        assert!(line.contains(part), "{line}");
    }
}
