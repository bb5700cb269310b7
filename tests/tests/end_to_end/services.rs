//! Services: the moment at which they are told to stop, and the end of those that fail or don't
//! end.

use std::time::Duration;

use crate::harness::{Ended, Program, Signal, program};
use crate::http::{Connection, request};

/// Starts a program with these services, and waits until it is ready.
fn ready(args: &str) -> Program {
    program!("services").args(args).start().ready()
}

/// Returns the number of the line that declares the hook's function.
fn line(hook: &str) -> usize {
    let function = format!("fn {hook}(");
    let mut lines = include_str!("../../src/bin/services.rs").lines();
    lines.position(|line| line.contains(&function)).expect("it is there") + 1
}

/// Returns the hook's name and place, as messages have them.
fn place(hook: &str) -> String {
    format!("`{hook}` (tests/src/bin/services.rs:{})", line(hook))
}

/// Checks that hooks said this in this order, whatever they said in between.
#[track_caller]
fn expect_order(ended: &Ended, said: &[&str]) {
    let did: Vec<_> = ended.did().into_iter().filter(|line| said.contains(line)).collect();
    assert_eq!(did, said, "\n{ended}");
}

/// Grace period of a stop that needs all of it: a twentieth is left to report in, which a busy
/// machine has to have time for.
const LONG: &str = "10s";

const CHAIN: &str = "failed: can't open the store: page 7 is unreadable: the disk is on fire";

#[test]
fn a_service_is_told_once_the_server_has_drained_and_ends_before_what_it_uses() {
    let mut program = ready("");
    let mut client = Connection::to(&program.address()).expect("it listens");
    client.send("GET /held").expect("it listens");
    program.wait_until_said("held");
    program.signal(Signal::SIGTERM);
    program.wait_for("waiting for GET /held");
    program.tell("held");
    assert_eq!(client.response().expect("a response").body, "held");
    let ended = program.end();
    let order = ["db", "queue", "held", "queue told", "queue flushed", "flush", "close_db"];
    ended.expect_code(0).expect_said(&["start queue", "running queue", "stop queue", "done queue"]);
    ended.expect_did(&order);
}

#[test]
fn services_stop_in_reverse_and_hooks_that_precede_them_run_before() {
    let program = ready("outbox last_mail");
    let ended = program.stop();
    let order = ["last_mail", "outbox told", "queue told", "queue flushed", "flush", "close_db"];
    ended.expect_code(0).expect_did(&[&["db", "queue", "outbox"][..], &order].concat());
}

#[test]
fn what_needs_a_service_waits_until_it_is_ready() {
    let mut program = program!("services").args("queue=wait outbox").start();
    program.wait_until_said("queue");
    program.wait_for("waiting for queue");
    program.tell("queue");
    let ended = program.ready().stop();
    ended.expect_code(0);
    expect_order(&ended, &["queue", "outbox", "outbox told", "queue told"]);
}

#[test]
fn a_service_ends_with_the_tasks_that_it_spawned() {
    let mut program = ready("flush=late");
    program.signal(Signal::SIGTERM);
    program.wait_for("waiting for queue");
    program.tell("go on");
    let ended = program.end();
    ended.expect_code(0).expect_did(&[
        "db",
        "queue",
        "queue told",
        "queue flushed",
        "flush",
        "close_db",
    ]);
}

#[test]
fn a_plain_function_has_a_thread_of_its_own_and_is_told_by_its_stop() {
    let ended = ready("tail").stop();
    ended.expect_code(0);
    expect_order(&ended, &["tail on thread tail", "tail told", "flush", "close_db"]);
}

#[test]
fn a_service_that_panics_is_run_again_after_a_while() {
    let mut program = ready("flaky=panic");
    program.wait_until_said("flaky 1");
    program.tell("flaky 1");
    program.wait_for(&format!("service {} panicked: flaky has no idea; again in ", place("flaky")));
    program.wait_until_said("flaky 2");
    let ended = program.stop();
    ended.expect_code(0);
    expect_order(&ended, &["flaky 1", "flaky", "flaky 2", "flaky told", "close_db"]);
}

#[test]
fn a_service_that_fails_for_good_stops_the_process_in_order() {
    let mut program = ready("flaky=fail outbox");
    for run in 1..=3 {
        program.wait_until_said(&format!("flaky {run}"));
        program.tell(&format!("flaky {run}"));
    }
    let ended = program.end();
    ended.expect_code(3);
    let error = format!(
        "hook {} failed: 2 restarts within 1m did not help, the last run {CHAIN}",
        place("flaky")
    );
    let cause = error.replacen("hook", "service", 1);
    ended.expect_said(&[&error, &format!("stopping ({cause})"), "failed: flaky, exit code 3"]);
    expect_order(&ended, &["flaky 3", "outbox told", "queue told", "flush", "close_db"]);
}

#[test]
fn a_service_that_ends_well_is_done_and_the_process_goes_on() {
    let mut program = ready("flaky");
    program.wait_until_said("flaky 1");
    program.tell("flaky 1");
    program.wait_for("done flaky");
    request(&program.address(), "GET /nothing").expect("it serves");
    let ended = program.stop();
    ended.expect_code(0).expect_not_said(&["again in"]);
    assert!(!ended.did().contains(&"flaky 2"), "{ended}");
}

#[test]
fn a_service_whose_failure_is_ignored_stops_nothing() {
    let program = program!("services").args("optional=fail").env("LIFECYCLE_ADMIN", "127.0.0.1:0");
    let mut program = program.start();
    let url = program.wait_for("probes on http://");
    let address = url.rsplit('/').next().expect("a URL");
    let mut program = program.ready();
    program.tell("break optional");
    program.wait_for(&format!("hook {} {CHAIN}", place("optional")));
    request(&program.address(), "GET /nothing").expect("it serves");
    let answer = request(address, "GET /readyz").expect("an answer");
    assert!(answer.head.contains(" 200 "), "{answer:?}");
    let lost = format!("service `optional` {CHAIN}; going on without it");
    assert!(answer.body.contains(&format!(r#""notes":["{lost}"]"#)), "{answer:?}");
    program.signal(Signal::SIGUSR1);
    program.wait_for(&format!("lifecycle:   {lost}"));
    program.stop().expect_code(0).expect_said(&["exit code 0"]);
}

#[test]
fn a_service_that_fails_before_it_is_ready_is_a_failed_start() {
    let ended = program!("services").args("queue=fail outbox").end();
    ended.expect_code(1).expect_did(&["db", "queue", "flush", "close_db"]);
    ended.expect_said(&[&format!("start failed: hook {} {CHAIN}", place("queue")), "exit code 1"]);
    // The message appears only once.
    assert_eq!(ended.stderr().matches(CHAIN).count(), 1, "{ended}");
}

#[test]
fn one_that_fails_for_good_beside_the_start_ends_it_too() {
    let mut program = program!("services").args("queue=wait flaky=fail").start();
    program.wait_until_said("queue");
    for run in 1..=3 {
        program.wait_until_said(&format!("flaky {run}"));
        program.tell(&format!("flaky {run}"));
    }
    let ended = program.end();
    let error = format!(
        "hook {} failed: 2 restarts within 1m did not help, the last run {CHAIN}",
        place("flaky")
    );
    ended.expect_code(1).expect_said(&[&format!("start failed: {error}")]);
    assert_eq!(ended.stderr().matches(&error).count(), 1, "{ended}");
    expect_order(&ended, &["flaky 3", "flush", "close_db"]);
}

#[test]
fn a_service_that_does_not_end_is_cancelled_when_its_time_is_up() {
    let ended = ready("stuck").stop();
    ended.expect_code(3).expect_took(Duration::from_millis(300));
    ended
        .expect_said(&[&format!("hook {} ran into its timeout and was cancelled", place("stuck"))]);
    expect_order(&ended, &["stuck told", "stuck dropped", "flush", "close_db"]);
}

#[test]
fn one_that_can_not_be_cancelled_is_left_behind() {
    let ended = ready("blocked=hang stuck_thread=hang").stop();
    ended.expect_code(3).expect_took(Duration::from_millis(400));
    for hook in ["blocked", "stuck_thread"] {
        let text =
            format!("hook {} ran into its timeout, did not end and was abandoned", place(hook));
        ended.expect_said(&[&text]);
    }
    expect_order(&ended, &["flush", "close_db"]);
}

#[test]
fn a_second_signal_waits_for_no_service_and_for_every_hook() {
    let mut program = ready("patient");
    program.signal(Signal::SIGTERM);
    program.wait_until_said("patient told");
    program.signal(Signal::SIGTERM);
    let ended = program.end();
    ended.expect_code(3).expect_took(Duration::ZERO);
    let text = format!(
        "hook {} was not waited for any longer in a hurried stop and was cancelled",
        place("patient")
    );
    ended.expect_said(&[&text]);
    expect_order(&ended, &["patient told", "patient dropped", "flush", "close_db"]);
}

#[test]
fn the_process_is_not_ready_while_a_service_backs_off() {
    let program = program!("services").args("distant").env("LIFECYCLE_ADMIN", "127.0.0.1:0");
    let mut program = program.start();
    let url = program.wait_for("probes on http://");
    let address = url.rsplit('/').next().expect("a URL");
    let mut program = program.ready();
    let ask = |path: &str| request(address, &format!("GET {path}")).expect("an answer");
    assert!(ask("/readyz").head.contains(" 200 "));
    program.tell("break distant");
    program.wait_for("again in ");
    let answer = ask("/readyz");
    assert!(answer.head.contains(" 503 "), "{answer:?}");
    let reason = format!(r#""reason":"service `distant` is backing off: it {CHAIN}""#);
    assert!(answer.body.contains(&reason), "{answer:?}");
    for path in ["/livez", "/startupz"] {
        assert!(ask(path).head.contains(" 200 "), "{path}");
    }
    program.signal(Signal::SIGUSR1);
    program.wait_for(&format!(
        "  distant (tests/src/bin/services.rs:{}, #[service]) backing off ",
        line("distant")
    ));
    program.stop().expect_code(0).expect_took(Duration::ZERO);
}

#[test]
fn an_observer_that_does_not_return_is_told_of_and_left_behind() {
    let start = program!("services").args("brief=wait observer=brief").env("LIFECYCLE_GRACE", LONG);
    let mut program = start.start().ready();
    program.tell("brief");
    program.wait_until_said("observer hangs");
    let ended = program.stop();
    // The end of the grace period leaves time for the message.
    ended.expect_took(Duration::from_secs(9));
    ended.expect_said(&["an observer of events has not returned, and has not seen all of them"]);
    assert!(ended.did().contains(&"close_db"), "\n{ended}");
}

#[test]
fn an_observer_is_not_blamed_for_a_teardown_that_takes_all_of_the_time() {
    let start =
        program!("services").args("observer=nobody close_db=hang").env("LIFECYCLE_GRACE", LONG);
    let ended = start.start().ready().stop();
    ended.expect_code(3).expect_said(&["`close_db`", "ran out of its share of the grace period"]);
    ended.expect_not_said(&["an observer of events has not returned"]);
}

#[test]
fn an_observer_that_does_not_return_in_the_stop_holds_no_hook_up() {
    let start = program!("services").args("observer=stop").env("LIFECYCLE_GRACE", LONG);
    let mut program = start.start().ready();
    program.signal(Signal::SIGTERM);
    program.wait_until_said("observer hangs");
    // Once everything else is over, it is what the stop waits for.
    program.wait_for("waiting for an observer of events ");
    program.signal(Signal::SIGUSR1);
    program.wait_for("  an observer of events ");
    let ended = program.end();
    ended.expect_said(&["an observer of events has not returned, and has not seen all of them"]);
    // It leaves callbacks their time.
    ended.expect_not_said(&["exit at once", "a callback of `on_report` has not returned"]);
    assert!(ended.did().ends_with(&["close_db", "reported"]), "\n{ended}");
}
