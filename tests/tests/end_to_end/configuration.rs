//! Bad settings: one clear message, an exit code, and no hook that ran.

use std::ffi::OsStr;
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt;

use crate::harness::{Ended, own_address, program};

/// Runs `service` with settings that it refuses.
fn refused(code: i32, settings: &[(&str, &str)], args: &str) -> Ended {
    let start = settings
        .iter()
        .fold(program!("service").args(args), |start, (name, value)| start.env(name, value));
    let ended = start.end();
    ended.expect_code(code).expect_did(&[]);
    ended.expect_said(&[&format!("nothing was started, exit code {code}")]);
    ended
}

#[test]
fn a_port_in_use_fails_before_the_first_hook() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let ended = refused(1, &[("LIFECYCLE_BIND", &address)], "");
    ended.expect_said(&[&format!("can't listen on {address}: "), "in use", "LIFECYCLE_BIND"]);
}

#[test]
fn an_address_of_another_machine_fails_before_the_first_hook() {
    // The address is reserved for documentation (RFC 5737), so it is nobody's.
    refused(1, &[("LIFECYCLE_BIND", "192.0.2.1:8080")], "")
        .expect_said(&["can't listen on 192.0.2.1:8080: "]);
}

#[test]
fn one_taken_address_of_several_starts_nothing() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address");
    refused(1, &[("LIFECYCLE_BIND", &format!("127.0.0.1:0,{address}"))], "")
        .expect_said(&[&address.to_string()]);
}

#[test]
fn a_malformed_address_is_a_mistake_in_the_configuration() {
    for address in ["nonsense", "127.0.0.1", "127.0.0.1:99999", "127.0.0.1:http!", ":"] {
        let ended = refused(2, &[("LIFECYCLE_BIND", address)], "");
        ended.expect_said(&[
            &format!("LIFECYCLE_BIND: `{address}` is no address to listen on"),
            "use host:port",
        ]);
    }
    let ended = refused(2, &[("LIFECYCLE_ADMIN", "nonsense")], "");
    ended.expect_said(&["LIFECYCLE_ADMIN: `nonsense` is no address to listen on"]);
}

#[test]
fn an_address_that_the_program_has_taken_itself_starts_nothing() {
    let tcp = own_address();
    let folder = tempfile::tempdir().expect("a folder");
    let unix = format!("unix:{}/socket", folder.path().display());
    let same = format!("unix:{}/./socket", folder.path().display());
    for (address, again) in [(&tcp, &tcp), (&unix, &same)] {
        let taken = format!(
            "can't listen on {again}, which {address} (`bind` or LIFECYCLE_BIND) of this program \
             takes"
        );
        let ended = refused(2, &[("LIFECYCLE_BIND", &format!("{address},{again}"))], "");
        ended.expect_said(&[&format!(
            "`bind` or LIFECYCLE_BIND: {taken}; give each an address of its own"
        )]);
        let ended = refused(2, &[("LIFECYCLE_BIND", address), ("LIFECYCLE_ADMIN", again)], "");
        ended.expect_said(&[&format!("`admin` or LIFECYCLE_ADMIN: {taken}")]);
    }
}

#[test]
fn every_bad_setting_is_named_with_what_is_valid() {
    let settings = [
        ("LIFECYCLE_GRACE", "soon"),
        ("LIFECYCLE_GRACEE", "1s"),
        ("LIFECYCLE_WORKERS", "0"),
        ("LIFECYCLE_DRAIN_DELAY", "-1s"),
        ("LIFECYCLE_PLAN", "xml"),
    ];
    let ended = refused(2, &settings, "");
    ended.expect_said(&[
        "LIFECYCLE_GRACE=soon: ",
        "unknown environment variable LIFECYCLE_GRACEE, did you mean LIFECYCLE_GRACE?",
        "LIFECYCLE_WORKERS=0: ",
        "LIFECYCLE_DRAIN_DELAY=-1s: ",
        "LIFECYCLE_PLAN=xml: ",
        "valid names: LIFECYCLE_ADMIN, LIFECYCLE_ADMIN_DETAILS, LIFECYCLE_ADMIN_HOSTS, \
         LIFECYCLE_BIND, LIFECYCLE_CONSOLE, LIFECYCLE_DRAIN_DELAY, LIFECYCLE_DRAIN_TIMEOUT, \
         LIFECYCLE_GRACE, LIFECYCLE_KEEP_ALIVE, LIFECYCLE_KEEP_RUNNING, \
         LIFECYCLE_PID_FILE, LIFECYCLE_PLAN, LIFECYCLE_QUIET_WINDOW, \
         LIFECYCLE_READY_WHILE_DRAINING, LIFECYCLE_REPORT, LIFECYCLE_STALL_AFTER, \
         LIFECYCLE_STALL_TIMEOUT, LIFECYCLE_STARTUP_TIMEOUT, LIFECYCLE_STRICT_BUDGET, \
         LIFECYCLE_TERMINATION_LOG, LIFECYCLE_WORKERS",
    ]);
}

#[test]
fn an_invalid_plan_names_both_places_and_runs_nothing() {
    let ended = refused(2, &[], "close_db_again");
    let source = include_str!("../../src/bin/service.rs");
    for hook in ["db", "close_db", "close_db_again"] {
        let line = source
            .lines()
            .position(|line| line.contains(&format!("fn {hook}(")))
            .expect("it is there")
            + 1;
        ended.expect_said(&[&format!("`{hook}` (tests/src/bin/service.rs:{line})")]);
    }
}

#[test]
fn an_invalid_plan_is_not_printed() {
    refused(2, &[("LIFECYCLE_PLAN", "text")], "close_db_again");
}

#[test]
fn a_budget_over_grace_is_told_or_with_strict_budget_refused() {
    let settings = [("LIFECYCLE_GRACE", "1s"), ("LIFECYCLE_DRAIN_DELAY", "600ms")];
    // Requests have half of the time that the delay leaves, and the report has a twentieth of the
    // grace period.
    let told = "the stop may take 1.7 s, longer than the grace period of 1 s: requests have 800 ms \
                of 1 s; `drain_delay` has 550 ms; after a full drain `timed_flush` has 46 ms of \
                its 500 ms";
    let start =
        settings.iter().fold(program!("service").args("timed_flush"), |start, (name, value)| {
            start.env(name, value)
        });
    start.start().ready().stop().expect_said(&[told]);
    let strict = [&settings[..], &[("LIFECYCLE_STRICT_BUDGET", "on")]].concat();
    refused(2, &strict, "timed_flush").expect_said(&[told]);
    // A drain hook runs before the delay.
    let told = "the stop may take 2.5 s, longer than the grace period of 1 s: requests have 800 ms \
                of 1 s; `drain_delay` has";
    refused(2, &strict, "timed_flush timed_withdraw").expect_said(&[told]);
}

#[test]
fn the_plan_is_printed_in_every_format_and_nothing_runs() {
    for (format, begins) in [
        ("text", "start"),
        ("snapshot", "start"),
        ("mermaid", "flowchart "),
        ("dot", "digraph "),
        ("json", "{"),
    ] {
        let ended =
            program!("service").args("announce withdraw").env("LIFECYCLE_PLAN", format).end();
        ended.expect_code(0);
        let plan = ended.did();
        assert!(plan[0].starts_with(begins), "{ended}");
        assert!(!plan.contains(&"db"), "{ended}");
        for hook in ["db", "cache", "warm", "announce", "withdraw", "flush", "audit", "close_db"] {
            assert!(plan.iter().any(|line| line.contains(hook)), "no {hook} in\n{ended}");
        }
        ended.expect_not_said(&["start", "listening"]);
    }
}

#[test]
fn the_plan_is_printed_also_while_the_port_is_in_use() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    program!("service")
        .env("LIFECYCLE_PLAN", "text")
        .env("LIFECYCLE_BIND", &address)
        .end()
        .expect_code(0);
}

#[test]
fn a_setting_that_is_no_text_is_refused() {
    let ended = program!("service").env("LIFECYCLE_GRACE", OsStr::from_bytes(b"5\xff")).end();
    ended.expect_code(2).expect_did(&[]).expect_said(&["LIFECYCLE_GRACE=5\u{fffd}: "]);
}

#[test]
fn a_time_without_end_is_as_good_as_none() {
    for name in ["GRACE", "STARTUP_TIMEOUT", "DRAIN_TIMEOUT"] {
        let start = program!("service").env(&format!("LIFECYCLE_{name}"), "5000000000000h");
        start.start().ready().stop().expect_code(0);
    }
}

#[test]
fn settings_of_a_server_are_nothing_to_a_program_without_one() {
    let start = program!("service")
        .args("no-http")
        .env("LIFECYCLE_WORKERS", "2")
        .env("LIFECYCLE_ADMIN", "");
    let ended = start.env("LIFECYCLE_BIND", "127.0.0.1:0").start().ready().stop();
    let line = "LIFECYCLE_BIND and LIFECYCLE_WORKERS are ignored: this program has no HTTP server";
    ended.expect_code(0).expect_said(&[line]);
    // A bad setting is still refused.
    let ended = program!("service").args("no-http").env("LIFECYCLE_WORKERS", "none").end();
    ended.expect_code(2).expect_did(&[]);
}

#[test]
fn what_kubernetes_tells_of_services_keeps_no_program_from_starting() {
    let start = program!("service").env("LIFECYCLE_WEB_SERVICE_HOST", "10.0.0.1");
    let start = start
        .env("LIFECYCLE_WEB_SERVICE_PORT_HTTP", "80")
        .env("LIFECYCLE_WEB_PORT", "tcp://10.0.0.1:80");
    let start = start.env("LIFECYCLE_WEB_PORT_80_TCP_ADDR", "10.0.0.1").env("LIFECYCLE_GRACE", "");
    start.start().ready().stop().expect_code(0);
}

#[test]
fn workers_are_counted_alike_by_the_builder_and_by_the_environment() {
    let expected = "expected a number of threads from 1 to 512";
    for (workers, reason) in [("0", "nothing would be served"), ("513", "too many for one server")]
    {
        let ended = program!("routes").args(&format!("workers={workers}")).end();
        ended.expect_code(2).expect_said(&[
            &format!("lifecycle: `workers` of a server is {workers}: {reason}; {expected}"),
            "nothing was started, exit code 2",
        ]);
        let ended = refused(2, &[("LIFECYCLE_WORKERS", workers)], "");
        ended.expect_said(&[&format!("LIFECYCLE_WORKERS={workers}: {reason}; {expected}")]);
    }
}
