//! Health checks: their results in probes, and proof that they hold nothing up.

use serde_json::Value;

use crate::harness::{Program, Signal, program};
use crate::http::request;

/// Starts a program with these hooks, waits until it is ready, and returns the address of its
/// probes.
fn ready(args: &str) -> (Program, String) {
    let (mut program, address) = started(args);
    program.wait_for("ready after");
    (program, address)
}

fn started(args: &str) -> (Program, String) {
    let program = program!("recurring")
        .args(args)
        .without_env("LIFECYCLE_BIND")
        .env("LIFECYCLE_ADMIN", "127.0.0.1:0");
    let mut program = program.start();
    let line = program.wait_for("probes on http://");
    (program, line.rsplit('/').next().expect("a URL").to_owned())
}

/// Asks a probe, and returns the status and the body of the answer.
fn ask(address: &str, path: &str) -> (u16, Value) {
    let answer = request(address, &format!("GET {path}")).expect("an answer");
    let status = answer.head.split(' ').nth(1).expect("a status").parse().expect("a number");
    (status, serde_json::from_str(&answer.body).expect("JSON"))
}

/// Waits until a probe answers with this status, and returns the body.
fn until(program: &mut Program, address: &str, path: &str, status: u16) -> Value {
    program.wait_while(|| ask(address, path).0 != status);
    ask(address, path).1
}

const CHAIN: &str = "failed: can't open the store: page 7 is unreadable: the disk is on fire";

#[test]
fn a_check_that_fails_often_enough_turns_readiness_until_it_passes() {
    let (mut program, address) = ready("ping alive");
    let (status, body) = ask(&address, "/readyz");
    assert_eq!((status, &body["checks"][0]["name"]), (200, &"ping".into()), "{body}");
    program.tell("break ping");
    let body = until(&mut program, &address, "/readyz", 503);
    assert_eq!(body["reason"], format!("health check `ping` {CHAIN}"));
    assert_eq!(
        (&body["checks"][0]["status"], &body["checks"][0]["last_error"]),
        (&"fail".into(), &CHAIN.into())
    );
    assert_eq!((ask(&address, "/livez").0, ask(&address, "/startupz").0), (200, 200));
    program.signal(Signal::SIGUSR1);
    program.wait_for(&format!("  health check `ping` {CHAIN}"));
    program.tell("mend ping");
    let body = until(&mut program, &address, "/readyz", 200);
    assert_eq!(
        (&body["checks"][0]["status"], &body["checks"][0]["last_error"]),
        (&"pass".into(), &Value::Null)
    );
    let ended = program.stop();
    ended.expect_code(0).expect_did(&["db", "withdraw", "close_db"]);
    ended.expect_said(&[
        "health check `ping` (tests/src/bin/recurring.rs:",
        CHAIN,
        "health check ping passes",
    ]);
}

#[test]
fn a_check_of_liveness_turns_liveness_but_not_while_the_process_stops() {
    let (mut program, address) = ready("ping alive withdraw=wait");
    program.tell("break alive");
    let body = until(&mut program, &address, "/livez", 503);
    assert_eq!(body["checks"].as_array().map(Vec::len), Some(1), "{body}");
    assert_eq!(ask(&address, "/readyz").0, 200);
    program.signal(Signal::SIGTERM);
    program.wait_until_said("withdraw");
    assert_eq!(ask(&address, "/livez").0, 200);
    program.tell("withdraw");
    program.end().expect_code(0);
}

#[test]
fn a_check_of_the_startup_holds_it_until_it_passes() {
    let (mut program, address) = ready("warm ping");
    let (status, body) = ask(&address, "/startupz");
    assert_eq!(
        (status, &body["state"], &body["checks"][0]["name"]),
        (503, &"ready".into(), &"warm".into()),
        "{body}"
    );
    assert_eq!(ask(&address, "/readyz").0, 503);
    program.tell("warm");
    until(&mut program, &address, "/startupz", 200);
    assert_eq!(ask(&address, "/readyz").0, 200);
    program.stop().expect_code(0).expect_said(&["health check warm passes"]);
}

#[test]
fn a_check_that_hangs_has_failed_when_its_time_is_up() {
    let (mut program, address) = ready("faulty=hang");
    let body = until(&mut program, &address, "/readyz", 503);
    assert_eq!(body["reason"], "health check `faulty` ran into its timeout and was cancelled");
    let ended = program.stop();
    ended.expect_code(0);
    // Each run was over before the next.
    let mut did = ended.did().into_iter().filter(|line| line.starts_with("faulty"));
    while let Some(line) = did.next() {
        assert_eq!((line, did.next()), ("faulty", Some("faulty dropped")), "\n{ended}");
    }
}

#[test]
fn a_check_that_panics_has_failed() {
    let (mut program, address) = ready("fragile=panic");
    let body = until(&mut program, &address, "/readyz", 503);
    assert_eq!(body["reason"], "health check `fragile` panicked: fragile has no idea");
    program.stop().expect_code(0);
}

#[test]
fn a_check_that_blocks_every_thread_keeps_no_probe_from_answering() {
    let (mut program, address) = ready("faulty=block");
    program.wait_until_said("faulty");
    for path in ["/livez", "/startupz"] {
        assert_eq!(ask(&address, path).0, 200, "{path}");
    }
    let body = until(&mut program, &address, "/readyz", 503);
    assert_eq!(
        body["reason"],
        "health check `faulty` ran into its timeout, did not end and was abandoned"
    );
}

#[test]
fn a_check_never_runs_beside_one_that_could_not_be_cancelled() {
    let (mut program, address) = ready("stuck=wait");
    let stuck = "health check `stuck` ran into its timeout, did not end and was abandoned";
    assert_eq!(until(&mut program, &address, "/readyz", 503)["reason"], stuck);
    // The next failures are about the same run, which takes longer and longer.
    let took = || ask(&address, "/readyz").1["checks"][0]["took"].as_f64().expect("a number");
    let first = took();
    program.wait_while(|| took() <= first);
    assert_eq!(ask(&address, "/readyz").1["reason"], stuck);
    program.tell("stuck");
    until(&mut program, &address, "/readyz", 200);
    let ended = program.stop();
    ended.expect_code(0);
    let did: Vec<_> = ended.did().into_iter().filter(|line| line.starts_with("stuck")).collect();
    assert_eq!(did[..3], ["stuck", "stuck ended", "stuck"], "\n{ended}");
}

#[test]
fn nothing_is_torn_down_beside_a_check_that_uses_it() {
    let (mut program, _) = started("slow=wait");
    program.wait_until_said("slow");
    program.signal(Signal::SIGTERM);
    program.wait_for("waiting for slow ");
    program.tell("slow");
    program.end().expect_code(0).expect_did(&["db", "slow", "withdraw", "close_db"]);
}

#[test]
fn no_check_runs_before_the_start_is_over() {
    let (mut program, address) = started("db=wait ping alive warm");
    program.wait_until_said("db");
    for (path, status) in [("/livez", 200), ("/readyz", 503), ("/startupz", 503)] {
        let (answered, body) = ask(&address, path);
        let checks = body["checks"].as_array().expect("a list");
        assert_eq!(answered, status, "{body}");
        assert!(checks.iter().all(|check| check["status"] == "pending"), "{body}");
    }
    program.tell("db");
    program.tell("warm");
    until(&mut program, &address, "/readyz", 200);
    program.stop().expect_code(0);
}
