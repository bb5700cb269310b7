//! Phases between the start and the stop: hooks that run while the server can be reached.

use std::time::Duration;

use crate::harness::{Ended, Signal, program};
use crate::http::{Connection, request};
use crate::{STARTED, STOPPED};

const CHAIN: &str = "failed: can't open the store: page 7 is unreadable: the disk is on fire";

/// Checks that these texts stand on stderr in this order.
#[track_caller]
fn expect_order(ended: &Ended, texts: &[&str]) {
    let stderr = ended.stderr();
    let places: Vec<_> = texts.iter().map(|text| stderr.find(text)).collect();
    assert!(
        places.is_sorted() && places.iter().all(Option::is_some),
        "{texts:?} are at {places:?} in\n{ended}"
    );
}

/// Returns the line of the fixture program that begins a function.
fn line_of(text: &str) -> usize {
    let mut lines = include_str!("../../src/bin/service.rs").lines();
    lines.position(|line| line.contains(text)).expect("it is there") + 1
}

#[test]
fn the_server_answers_while_a_ready_hook_is_waiting() {
    let mut program = program!("service").args("announce=wait withdraw").start();
    let address = program.address();
    program.wait_until_said("announce");
    let response = request(&address, "GET /rows").expect("it serves");
    assert_eq!(response.body, "rows");
    assert!(!response.head.contains("connection: close"), "{response:?}");
    program.tell("announce");
    let ended = program.ready().stop();
    ended.expect_code(0).expect_did(&[&STARTED[..], &["announce", "withdraw"], &STOPPED].concat());
    expect_order(
        &ended,
        &["done warm", "listening on", "run announce", "done announce", "ready after", "stopping"],
    );
}

#[test]
fn a_ready_hook_that_fails_is_a_failed_start_and_requests_in_flight_finish() {
    let mut program =
        program!("service").args("announce=hang announce_blocking=wait-fail withdraw").start();
    let mut client = Connection::to(&program.address()).expect("it listens");
    program.wait_until_said("announce");
    program.wait_until_said("announce_blocking");
    client.send("GET /held").expect("it listens");
    program.wait_until_said("held");
    program.tell("announce_blocking");
    program.wait_for("waiting for GET /held");
    program.tell("held");
    let response = client.response().expect("a response");
    assert_eq!(response.body, "held");
    assert!(response.head.contains("\r\nconnection: close\r\n"), "{response:?}");
    let ended = program.end();
    ended.expect_code(1).expect_not_said(&["ready after"]);
    let place = format!(
        "hook `announce_blocking` (tests/src/bin/service.rs:{})",
        line_of("fn announce_blocking(")
    );
    ended.expect_said(&[
        &format!("start failed: {place} {CHAIN}"),
        "1 request finished, 0 cut off",
        "exit code 1",
    ]);
    expect_order(
        &ended,
        &["start failed", "announce was cancelled", "run withdraw", "server closed", "run flush"],
    );
    assert_eq!(ended.did().last_chunk(), Some(&STOPPED), "\n{ended}");
}

#[test]
fn a_signal_before_the_ready_hooks_are_done_interrupts_the_start() {
    let mut program = program!("service").args("announce=hang withdraw").start();
    program.wait_until_said("announce");
    let ended = program.stop();
    ended.expect_code(0).expect_took(Duration::ZERO);
    ended
        .expect_said(&["stopped during the start (SIGTERM)", "server closed"])
        .expect_not_said(&["failed", "ready after"]);
    ended.expect_did(
        &[&STARTED[..], &["announce", "announce dropped", "withdraw"], &STOPPED].concat(),
    );
}

#[test]
fn a_ready_hook_that_can_not_be_cancelled_cuts_no_request_off() {
    let mut program = program!("service").args("announce_blocking=hang withdraw").start();
    let mut client = Connection::to(&program.address()).expect("it listens");
    program.wait_until_said("announce_blocking");
    client.send("GET /held").expect("it listens");
    program.wait_until_said("held");
    program.signal(Signal::SIGTERM);
    program.wait_for("waiting for GET /held");
    program.tell("held");
    assert_eq!(client.response().expect("a response").body, "held");
    program.wait_for("1 request finished, 0 cut off");
    program.signal(Signal::SIGTERM);
    let ended = program.end();
    ended
        .expect_code(3)
        .expect_said(&["announce_blocking was cancelled, did not end and was abandoned"]);
    // The report may mention the second signal a moment after its effect.
    ended.expect_said(&["hurrying"]);
    expect_order(&ended, &["run withdraw", "run flush"]);
}

#[test]
fn a_ready_hook_has_the_time_of_the_start_and_leaves_drain_hooks_theirs() {
    let ended = program!("service")
        .args("announce_blocking=hang")
        .env("LIFECYCLE_STARTUP_TIMEOUT", "4s")
        .end();
    ended.expect_code(1).expect_took(Duration::from_secs(4));
    ended.expect_said(&[
        "hook `announce_blocking`",
        "ran into the startup timeout, did not end and was abandoned",
    ]);

    // A hook that nothing can cancel has all the time that the hooks behind it leave.
    let start = program!("service")
        .args("announce_blocking=hang timed_withdraw=hang")
        .env("LIFECYCLE_GRACE", "10s");
    let mut program = start.start();
    program.wait_until_said("announce_blocking");
    let ended = program.stop();
    ended
        .expect_code(3)
        .expect_said(&["announce_blocking was cancelled, did not end and was abandoned"]);
    let did = ended.did();
    assert_eq!(did[4..], ["timed_withdraw", "flush", "audit", "close_db"], "\n{ended}");
    let stderr = ended.stderr();
    let hung =
        stderr.lines().find(|line| line.contains("hook `timed_withdraw`")).expect("a line of it");
    let (_, after) = hung.split_once("(after ").expect("how long");
    let millis: u32 = after.trim_end_matches(" ms)").parse().unwrap_or(1_000);
    assert!(millis >= 600, "\n{ended}");
}

#[test]
fn a_ready_hook_that_blocks_all_threads_fails_the_start_by_its_timeout() {
    let program = program!("service").args("announce=block").env("LIFECYCLE_STARTUP_TIMEOUT", "4s");
    let ended = program.env("LIFECYCLE_GRACE", "10s").end();
    // Of the stop, what is left to report in isn't needed.
    ended.expect_code(1).expect_took(Duration::from_millis(4_000 + 9_500));
    let place =
        format!("hook `announce` (tests/src/bin/service.rs:{})", line_of("async fn announce("));
    ended.expect_said(&[&format!("start failed: {place} ran into the startup timeout")]);
    ended.expect_said(&["stopped (the start failed)"]);
}

#[test]
fn requests_are_served_while_a_drain_hook_is_waiting() {
    let start = program!("service").args("withdraw=wait").env("LIFECYCLE_DRAIN_DELAY", "1m");
    let mut program = start.env("LIFECYCLE_GRACE", "2m").start();
    let address = program.address();
    let mut client = Connection::to(&address).expect("it listens");
    client.send("GET /held").expect("it listens");
    program.wait_until_said("held");
    program.signal(Signal::SIGTERM);
    program.wait_until_said("withdraw");
    let mut new = Connection::to(&address).expect("it still accepts");
    new.send("GET /rows").expect("it still accepts");
    program.tell("held");
    for (client, body) in [(&mut new, "rows"), (&mut client, "held")] {
        let response = client.response().expect("a response");
        assert_eq!(response.body, body);
        assert!(response.announces_close(), "{response:?}");
        assert!(client.is_closed());
    }
    // The drain would go on for long.
    program.signal(Signal::SIGTERM);
    program.wait_for("server closed");
    program.wait_for("waiting for withdraw ");
    program.tell("withdraw");
    let ended = program.end();
    ended.expect_code(0);
    expect_order(
        &ended,
        &["stopping", "run withdraw", "server closed", "done withdraw", "run flush"],
    );
    assert_eq!(ended.did().last_chunk(), Some(&STOPPED), "\n{ended}");
}

#[test]
fn shutdown_hooks_wait_for_requests_that_outlast_the_drain_hooks() {
    let mut program = program!("service").args("withdraw").start();
    let mut client = Connection::to(&program.address()).expect("it listens");
    client.send("GET /held").expect("it listens");
    program.wait_until_said("held");
    program.signal(Signal::SIGTERM);
    program.wait_for("done withdraw");
    program.wait_for("waiting for GET /held");
    program.tell("held");
    assert_eq!(client.response().expect("a response").body, "held");
    let ended = program.end();
    ended
        .expect_code(0)
        .expect_did(&[&STARTED[..], &["held", "withdraw", "held dropped"], &STOPPED].concat());
}

#[test]
fn a_drain_hook_that_fails_keeps_no_other_from_running() {
    let short = |args: &str| {
        program!("service").args(args).env("LIFECYCLE_GRACE", "10s").start().ready().stop()
    };
    for (fault, said) in [("fail", CHAIN), ("panic", "panicked: withdraw has no idea")] {
        let ended = short(&format!("withdraw={fault} timed_withdraw"));
        ended.expect_code(3).expect_said(&[
            "hook `withdraw` (tests/src/bin/service.rs:",
            said,
            "failed: withdraw",
        ]);
        ended.expect_did(&[&STARTED[..], &["withdraw", "timed_withdraw"], &STOPPED].concat());
    }
    let ended = short("withdraw timed_withdraw=hang");
    ended.expect_code(3).expect_took(Duration::from_millis(700));
    ended.expect_said(&[
        "hook `timed_withdraw`",
        "ran into its timeout, did not end and was abandoned",
    ]);
    ended.expect_did(&[&STARTED[..], &["withdraw", "timed_withdraw"], &STOPPED].concat());
}

#[test]
fn a_drain_hook_that_hangs_without_a_timeout_leaves_time_for_the_rest() {
    let program =
        program!("service").args("withdraw=hang timed_withdraw").env("LIFECYCLE_GRACE", "10s");
    let ended = program.start().ready().stop();
    ended.expect_code(3).expect_said(&[
        "hook `withdraw`",
        "ran out of its share of the grace period and was cancelled",
    ]);
    ended.expect_did(
        &[&STARTED[..], &["withdraw", "withdraw dropped", "timed_withdraw"], &STOPPED].concat(),
    );
    ended.expect_not_said(&["exit at once"]);
}

#[test]
fn a_second_signal_cuts_no_drain_hook_short() {
    let mut program = program!("service")
        .args("withdraw=wait")
        .env("LIFECYCLE_DRAIN_DELAY", "20s")
        // The hook has a part of it, which a busy machine takes.
        .env("LIFECYCLE_GRACE", "2m")
        .start()
        .ready();
    program.signal(Signal::SIGTERM);
    program.wait_until_said("withdraw");
    program.signal(Signal::SIGTERM);
    program.wait_for("hurrying");
    program.wait_for("server closed");
    program.tell("withdraw");
    let ended = program.end();
    ended.expect_code(0).expect_took(Duration::ZERO);
    ended.expect_did(&[&STARTED[..], &["withdraw"], &STOPPED].concat());
}

#[test]
fn a_third_signal_ends_the_process_although_a_drain_hook_hangs() {
    let mut program = program!("service").args("withdraw=hang").start().ready();
    program.signal(Signal::SIGTERM);
    program.wait_until_said("withdraw");
    program.signal(Signal::SIGTERM);
    program.wait_for("hurrying");
    program.signal(Signal::SIGINT);
    program.end().expect_code(130).expect_took(Duration::ZERO);
}

#[test]
fn a_process_without_a_server_has_ready_and_drain_hooks_too() {
    let start = program!("service").args("no-http announce withdraw").without_env("LIFECYCLE_BIND");
    let ended = start.start().ready().stop();
    ended.expect_code(0).expect_did(&[&STARTED[..], &["announce", "withdraw"], &STOPPED].concat());
}

#[test]
fn a_start_that_fails_before_the_server_listens_runs_neither() {
    program!("service")
        .args("db=fail announce timed_withdraw")
        .end()
        .expect_code(1)
        .expect_did(&["db"]);
}
