//! Tests of failures, panics, hangs and timeouts, at the start and at the stop.

use std::time::Duration;

use super::scenario::Scenario;
use crate::event::{Limit, Outcome};

#[tokio::test(start_paused = true)]
async fn a_failed_start_rolls_back_exactly_what_started() {
    let plan = "start a; start b needs a; start c needs b; start d; stop za of a; stop zb of b; \
                stop zc of c; stop zd of d";
    let ran = Scenario::new(plan, "a takes 5; b fails; d hangs").run().await;
    ran.check(&[
        "0 +a",
        "0 +d",
        "5 a done",
        "5 +b",
        "5 b failed",
        "5 d cancelled",
        "5 zc skipped",
        "5 zd skipped",
        "5 zb skipped",
        "5 +za",
        "5 za done",
    ]);
    assert_eq!(ran.report.exit_code(), 1);
    assert_eq!(ran.error().as_deref(), Some("hook `b` (app.rs:2) failed: b is broken"));
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_is_done_although_the_start_was_given_up_is_torn_down() {
    let ran = Scenario::new(
        "start a; start b; stop za of a",
        "a blocks until b failed; b fails once a has a thread",
    )
    .run()
    .await;
    ran.check(&[
        "0 +a",
        "0 +b",
        "0 a has a thread",
        "0 b failed",
        "0 a done",
        "0 +za",
        "0 za done",
    ]);
    assert_eq!(ran.report.exit_code(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_panic_at_the_start_is_a_failure_that_names_it() {
    let ran = Scenario::new("start a; start b needs a; stop za of a", "b panics").run().await;
    assert_eq!(ran.error().as_deref(), Some("hook `b` (app.rs:2) panicked: b panics"));
    assert_eq!((ran.count("za done"), ran.report.exit_code()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_startup_hook_has_its_own_timeout_and_that_of_the_start() {
    let own = Scenario::new("start a timeout 50", "a hangs").run().await;
    own.check(&["0 +a", "50 a timed out"]);
    assert_eq!(
        own.report.hooks[0].outcome,
        Outcome::TimedOut { limit: Limit::Timeout, ended: true }
    );

    let whole = Scenario::new("start a; start b needs a timeout 500", "a takes 30; b hangs")
        .startup_timeout(100)
        .run()
        .await;
    whole.check(&["0 +a", "30 a done", "30 +b", "100 b timed out"]);
    assert_eq!(
        whole.report.hooks[1].outcome,
        Outcome::TimedOut { limit: Limit::StartupTimeout, ended: true }
    );
    assert_eq!(whole.report.exit_code(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failed_start_has_a_fresh_budget_to_roll_back() {
    let ran = Scenario::new(
        "start a; start b needs a; stop za of a timeout 900",
        "b hangs; za takes 890",
    )
    .startup_timeout(5_000)
    .grace(1_000)
    .run()
    .await;
    ran.check(&["0 +a", "0 a done", "0 +b", "5000 b timed out", "5000 +za", "5890 za done"]);
}

#[tokio::test(start_paused = true)]
async fn no_failure_at_the_stop_keeps_another_hook_from_running() {
    let plan = "start db; stop close of db; stop a order 1 needs db; stop b order 2; stop c order \
                3 timeout 40; stop d order 4";
    let ran = Scenario::new(plan, "a fails; b panics; c hangs").run().await;
    ran.check(&[
        "0 +db",
        "0 db done",
        "0 ready",
        "0 +a",
        "0 a failed",
        "0 +close",
        "0 +b",
        "0 close done",
        "0 b panicked",
        "0 +c",
        "40 c timed out",
        "40 +d",
        "40 d done",
    ]);
    assert_eq!(ran.report.exit_code(), 3);
    assert_eq!(ran.report.failures().count(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_failed_teardown_still_lets_what_it_was_built_on_be_torn_down() {
    let plan = "start db; start cache needs db; stop close of db; stop clear of cache";
    let ran = Scenario::new(plan, "clear panics").run().await;
    assert_eq!((ran.count("clear panicked"), ran.count("close done")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_value_whose_drop_panics_is_a_failure_and_holds_nothing_up() {
    let ran = Scenario::new(
        "start db; start cache needs db; stop close of db",
        "cache has a value that panics",
    )
    .run()
    .await;
    assert_eq!((ran.count("drop of cache panicked"), ran.count("close done")), (1, 1));
    assert_eq!(ran.report.exit_code(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_hanging_hook_does_not_take_the_time_of_those_behind_it() {
    let plan = "start db; stop close of db timeout 3000; stop flush needs db";
    let ran = Scenario::new(plan, "flush hangs; close takes 2900").grace(10_000).run().await;
    // This is the grace period, less the time for the report, less the time that `close` keeps,
    // less the time in which `flush` would be abandoned.
    ran.check(&[
        "0 +db",
        "0 db done",
        "0 ready",
        "0 +flush",
        "6410 flush timed out",
        "6410 +close",
        "9310 close done",
    ]);
    assert_eq!(ran.report.hooks[1].outcome, Outcome::TimedOut { limit: Limit::Grace, ended: true });
}

#[tokio::test(start_paused = true)]
async fn what_a_hook_does_not_use_flows_on() {
    let plan = "start db; stop close of db; stop flush needs db timeout 5000";
    let ran = Scenario::new(plan, "flush takes 10; close takes 9000").grace(10_000).run().await;
    assert_eq!((ran.count("close done"), ran.report.exit_code()), (1, 0));
    assert_eq!(ran.report.stop_took, Duration::from_millis(9_010));
}

#[tokio::test(start_paused = true)]
async fn a_hang_of_everything_is_over_within_grace() {
    let plan = "start a; start b needs a; start c needs b; stop za of a; stop zb of b; stop zc of \
                c; stop x; stop y needs c";
    let ran = Scenario::new(plan, "za hangs; zb hangs; zc hangs; x hangs; y hangs")
        .grace(5_000)
        .run()
        .await;
    assert!(ran.report.stop_took < Duration::from_secs(5), "{:?}", ran.report.stop_took);
    assert_eq!(ran.report.failures().count(), 5);
}

/// Runs a scenario on real time, as a blocked thread holds up paused time.
#[track_caller]
fn check_on_real_time(plan: &str, does: &str, grace: u64, expected: &[&str]) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let ran = runtime.block_on(Scenario::new(plan, does).grace(grace).run());
    ran.check_order(expected);
}

#[test]
fn a_hook_that_blocks_leaves_the_next_one_its_time_however_short() {
    let plan = "stop flush; stop close after flush timeout 50";
    check_on_real_time(
        plan,
        "flush blocks until close done",
        4_000,
        &["flush abandoned", "+close", "close done"],
    );
    let plan = "stop a order 1; stop b order 2; stop c order 3; stop d order 4";
    let does = "a blocks until d done; b blocks until d done; c blocks until d done; d takes 1";
    let expected = ["a abandoned", "+b", "b abandoned", "+c", "c abandoned", "+d", "d done"];
    check_on_real_time(plan, does, 12_000, &expected);
}
