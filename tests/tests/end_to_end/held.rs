//! Values that others still hold when they should be dropped.

use std::time::Duration;

use crate::harness::{Program, Signal, Start, program};

pub(crate) fn values(args: &str) -> Start {
    program!("values").without_env("LIFECYCLE_BIND").args(args)
}

/// Grace period of which even a hundredth is longer than any machine takes.
const LONG: &str = "10000s";

/// Begins the stop of a program, and waits until it waits for a holder of the value.
fn waiting(args: &str) -> Program {
    let mut program = values(args).env("LIFECYCLE_GRACE", LONG).start().ready();
    program.signal(Signal::SIGTERM);
    program.wait_for("waiting for the value of `db`, which 1 other still holds");
    program
}

#[test]
fn a_value_that_is_let_go_late_is_dropped_before_what_it_uses_is_torn_down() {
    for mode in ["run", "serve"] {
        let mut program = waiting(&format!("{mode} late"));
        program.tell("late");
        let ended = program.end();
        ended.expect_code(0).expect_not_said(&["still held"]);
        assert_eq!(ended.did()[..3], ["db drops", "db dropped", "close_disk"], "\n{ended}");
    }
}

#[test]
fn its_drop_is_awaited_however_long_it_takes() {
    for mode in ["run", "serve"] {
        let mut program = waiting(&format!("{mode} late db=wait"));
        program.tell("late");
        program.wait_until_said("db drops");
        program.tell("db");
        let ended = program.end();
        ended.expect_code(0);
        assert_eq!(ended.did()[..3], ["db drops", "db dropped", "close_disk"], "\n{ended}");
    }
}

#[test]
fn a_panic_of_its_drop_is_a_failure() {
    let mut program = waiting("run late db=panic");
    program.tell("late");
    program.end().expect_code(3).expect_said(&["the drop of the value of hook `db` ("]);
}

#[test]
fn a_value_that_is_kept_for_good_is_named_and_holds_nothing_up() {
    for mode in ["run", "serve"] {
        let ended = values(&format!("{mode} static")).start().ready().stop();
        ended.expect_code(0).expect_took(Duration::ZERO);
        ended.expect_said(&[
            "the value of hook `db` (tests/src/bin/values.rs:",
            "is still held by 1 other, and its drop has not run; if that is a task, end it when \
             `Stop` fires, or",
            // The value keeps what it uses.
            "the value of hook `disk` (tests/src/bin/values.rs:",
        ]);
        assert!(!ended.did().contains(&"db drops"), "\n{ended}");
    }
}

#[test]
fn a_value_that_a_task_of_the_run_never_lets_go_is_dropped_with_the_runtime_before_the_run_is_over()
{
    let start = values("run task db=wait");
    let mut program = start.start().ready();
    program.signal(Signal::SIGTERM);
    program.wait_until_said("db drops");
    program.signal(Signal::SIGUSR1);
    program.wait_for("lifecycle: stopping (SIGTERM) for ");
    program.wait_for("lifecycle:   the drop of the value of `db`");
    program.tell("db");
    let ended = program.end();
    ended.expect_code(0).expect_not_said(&["still held"]).expect_did(&[
        "close_disk",
        "db drops",
        "db dropped",
    ]);
}

#[test]
fn a_drop_with_the_runtime_that_hangs_is_ended_by_the_grace_period() {
    let ended = values("run task db=wait").env("LIFECYCLE_GRACE", "1s").start().ready().stop();
    ended.expect_code(3).expect_took(Duration::from_secs(1)).expect_said(&[
        "the grace period of 1 s is over, exit at once: still running: the drop of the value of \
         `db`, exit code 3",
    ]);
}

#[test]
fn a_start_that_failed_is_told_even_if_a_drop_hangs_and_the_console_is_off() {
    for console in ["auto", "off"] {
        let start = values("run task db=wait broken").env("LIFECYCLE_GRACE", "1s");
        let ended = start.env("LIFECYCLE_CONSOLE", console).end();
        ended.expect_code(1).expect_said(&[
            "failed: no rows",
            "the grace period of 1 s is over, exit at once: still running: the drop of the value \
             of `db`, exit code 1",
        ]);
        assert_eq!(ended.stderr().matches("failed: no rows").count(), 1, "{console}\n{ended}");
        assert!(console == "auto" || ended.stderr().lines().count() == 1, "\n{ended}");
    }
}

#[test]
fn a_start_that_was_interrupted_has_not_failed_when_the_grace_period_ends_the_process() {
    let mut program = values("run task db=wait slow").env("LIFECYCLE_GRACE", "1s").start();
    program.wait_until_said("slow");
    program.signal(Signal::SIGTERM);
    program.end().expect_code(3).expect_said(&[
        "stopped during the start",
        "the grace period of 1 s is over, exit at once: still running: the drop of the value of \
         `db`, exit code 3",
    ]);
}

#[test]
fn the_drop_of_a_value_that_is_held_twice_has_not_run() {
    let ended = values("run static task").start().ready().stop();
    // The task has let go of the value by then.
    ended.expect_code(0).expect_said(&["is still held by 1 other, and its drop has not run"]);
}

#[test]
fn the_report_says_who_is_held_and_by_how_many() {
    let ended = values("serve static task").start().ready().stop();
    ended.expect_code(0);
    let held = ended.did()[1];
    assert!(held.contains(r#""hook":"values::db","kind":"on_startup","others":2}"#), "{held}");
    assert!(held.contains(r#""hook":"values::disk","kind":"on_startup","others":1}"#), "{held}");
}

#[test]
fn a_value_that_nobody_holds_is_not_named() {
    let ended = values("serve").start().ready().stop();
    ended.expect_code(0).expect_not_said(&["still held"]);
    ended.expect_did(&["db drops", "db dropped", "close_disk", "[]"]);
}

#[test]
fn a_second_signal_waits_for_nobody_who_holds_a_value() {
    let mut program = waiting("run static");
    program.signal(Signal::SIGTERM);
    let ended = program.end();
    ended.expect_code(0).expect_took(Duration::ZERO).expect_said(&["is still held by 1 other"]);
}
