//! Shutdown hooks that fail, panic or hang: the rest runs in time, and the exit code tells.

use std::time::Duration;

use crate::harness::{Ended, Start, program};
use crate::{STARTED, STOPPED};

/// Starts and stops `service` with a fault in its stop. The grace period is far longer than the
/// stop should take.
fn stopped(args: &str) -> Ended {
    failed(program!("service").args(args))
}

/// Starts and stops `service` with a hook that takes all the time that it can have.
fn stopped_late(args: &str) -> Ended {
    failed(program!("service").args(args).env("LIFECYCLE_GRACE", "10s"))
}

fn failed(start: Start) -> Ended {
    let ended = start.start().ready().stop();
    ended.expect_code(3).expect_said(&["exit code 3"]);
    ended
}

const CHAIN: &str = "failed: can't open the store: page 7 is unreadable: the disk is on fire";

#[test]
fn a_failing_hook_keeps_no_other_from_running() {
    for hook in ["flush", "audit", "close_db"] {
        let ended = stopped(&format!("{hook}=fail"));
        ended.expect_did(&[&STARTED[..], &STOPPED].concat()).expect_took(Duration::ZERO);
        ended.expect_said(&[&format!("hook `{hook}` (tests/src/bin/service.rs:"), CHAIN]);
    }
}

#[test]
fn a_panicking_hook_keeps_no_other_from_running() {
    for hook in ["flush", "audit", "close_db"] {
        let ended = stopped(&format!("{hook}=panic"));
        ended.expect_did(&[&STARTED[..], &STOPPED].concat()).expect_took(Duration::ZERO);
        ended.expect_said(&[&format!("panicked: {hook} has no idea")]);
    }
}

#[test]
fn all_hooks_may_fail() {
    let ended = stopped("flush=fail audit=panic cache=panic-at-drop close_db=fail");
    ended.expect_did(&[&STARTED[..], &STOPPED].concat());
    ended.expect_said(&["failed: flush, audit, cache, close_db, exit code 3"]);
}

#[test]
fn a_hook_that_hangs_is_ended_by_its_timeout() {
    let ended = stopped("timed_flush=hang");
    ended.expect_did(&[
        "db",
        "cache",
        "warm",
        "flush",
        "timed_flush",
        "timed_flush dropped",
        "audit",
        "cache dropped",
        "close_db",
    ]);
    ended.expect_said(&["timed_flush", "ran into its timeout and was cancelled"]);
    ended.expect_took(Duration::from_millis(500));

    let ended = stopped("timed_audit=hang");
    ended.expect_did(&[
        "db",
        "cache",
        "warm",
        "flush",
        "timed_audit",
        "audit",
        "cache dropped",
        "close_db",
    ]);
    ended.expect_said(&["timed_audit", "ran into its timeout, did not end and was abandoned"]);
    ended.expect_took(Duration::from_millis(500));
}

#[test]
fn a_hook_that_hangs_without_a_timeout_leaves_time_for_the_rest() {
    let ended = stopped_late("flush=hang");
    ended.expect_did(
        &[&STARTED[..], &["flush", "flush dropped", "audit", "cache dropped", "close_db"]].concat(),
    );
    ended.expect_said(&["flush", "ran out of its share of the grace period and was cancelled"]);
    ended.expect_not_said(&["exit at once"]);
}

#[test]
fn a_hook_on_the_blocking_pool_that_never_returns_leaves_time_for_the_rest() {
    let ended = stopped_late("audit=hang");
    // The hook still has the cache, so the cache can't be dropped. The teardown waits no longer for
    // that.
    ended.expect_did(&[&STARTED[..], &["flush", "audit", "close_db"]].concat());
    ended.expect_said(&[
        "audit",
        "ran out of its share of the grace period, did not end and was abandoned",
    ]);
    ended.expect_not_said(&["exit at once"]);
}

const PLACE: &str = "the drop of the value of hook `cache` (tests/src/bin/service.rs:";

#[test]
fn a_value_whose_drop_panics_is_a_failure_and_the_rest_runs() {
    let ended = stopped("cache=panic-at-drop");
    ended.expect_did(&[&STARTED[..], &STOPPED].concat());
    ended.expect_said(&[PLACE, "panicked: cache has no idea"]);
}

#[test]
fn a_value_whose_drop_hangs_leaves_time_for_the_rest() {
    let ended = stopped_late("cache=hang-at-drop");
    ended.expect_did(&[&STARTED[..], &STOPPED].concat());
    ended.expect_said(&[PLACE, "ran out of its share of the grace period", "abandoned"]);
    ended.expect_said(&["waiting for the drop of the value of `cache`"]);
    ended.expect_not_said(&["exit at once"]);
}
