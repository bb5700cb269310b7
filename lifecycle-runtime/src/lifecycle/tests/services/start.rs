//! Tests of services that fail, or are not ready in time, during the start.

use std::time::Duration;

use crate::event::{Limit, Outcome, ServiceState};
use crate::lifecycle::tests::scenario::Scenario;

#[tokio::test(start_paused = true)]
async fn a_start_goes_on_without_a_service_that_it_can_do_without() {
    let plan = "service s exit ignore handle; start a after s; stop flush after s; stop close of a";
    let ran = Scenario::new(plan, "s fails").run().await;
    ran.check(&[
        "0 +s",
        "0 s failed",
        "0 +a",
        "0 a done",
        "0 ready",
        "0 +close",
        "0 close done",
        "0 flush skipped",
    ]);
    assert_eq!(ran.report.exit_code(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_start_that_a_service_never_let_end_says_why() {
    let plan =
        "service s restart on_failure most 10/60000 backoff 100..100 handle; start a after s";
    let ran = Scenario::new(plan, "s fails").startup_timeout(250).run().await;
    let reason = "hook `s` (app.rs:1) ran into the startup timeout and was cancelled; its last run \
                  failed: s is broken (2 restarts)";
    assert_eq!(ran.error().as_deref(), Some(reason));
    // A service that hangs has no error to report.
    let ran = Scenario::new(plan, "s hangs").startup_timeout(250).run().await;
    let reason = "hook `s` (app.rs:1) ran into the startup timeout and was cancelled";
    assert_eq!(ran.error().as_deref(), Some(reason));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_fails_before_it_is_ready_is_a_failed_start() {
    let plan = "start db; service s needs db handle; start a after s; start slow; stop close of \
                db; stop flush";
    let ran = Scenario::new(plan, "s fails; slow hangs").run().await;
    ran.check(&[
        "0 +db",
        "0 +slow",
        "0 db done",
        "0 +s",
        "0 s failed",
        "0 slow cancelled",
        "0 +close",
        "0 +flush",
        "0 close done",
        "0 flush done",
    ]);
    assert_eq!(ran.error().as_deref(), Some("hook `s` (app.rs:2) failed: s is broken"));
    assert_eq!(ran.report.exit_code(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_service_has_the_time_of_the_start_to_be_ready() {
    // The second service ends well when it is told that it is too late.
    for (keys, does) in
        [("", "s hangs"), ("", "s runs"), ("exit ignore", "s hangs"), ("exit ignore", "s runs")]
    {
        let plan = format!("service s {keys} handle timeout 10");
        let ran = Scenario::new(&plan, does).startup_timeout(500).run().await;
        ran.check(&["0 +s", "500 -s", "500 s timed out"]);
        assert_eq!(
            ran.report.hooks[0].outcome,
            Outcome::TimedOut { limit: Limit::StartupTimeout, ended: true }
        );
        assert_eq!(ran.report.exit_code(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn each_service_that_is_not_ready_in_time_has_run_into_the_startup_timeout() {
    let plan = "service s handle timeout 10; service t handle timeout 10";
    let ran = Scenario::new(plan, "s hangs; t hangs").startup_timeout(500).run().await;
    for hook in &ran.report.hooks {
        let limit = Limit::StartupTimeout;
        assert_eq!(hook.outcome, Outcome::TimedOut { limit, ended: true }, "{}", hook.hook.name());
    }
    assert_eq!(ran.report.hooks.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_start_that_fails_stops_the_services_that_run() {
    let plan = "start db; service s needs db; service t handle timeout 20; start a after s; stop \
                close of db";
    let ran = Scenario::new(plan, "s runs and takes 10; t hangs; a takes 5; a fails").run().await;
    assert_eq!(ran.report.exit_code(), 1);
    ran.check_order(&["a failed", "t timed out", "s done", "+close"]);
    ran.check_order(&["+s", "s running", "-s", "s done"]);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_not_ready_has_its_time_to_end_when_the_start_is_given_up() {
    for (does, time, line) in [
        ("s runs and takes 300", 300, "s cancelled"),
        ("s runs and takes 3000", 500, "s timed out"),
        ("s is ready after 10", 10, "s done"),
    ] {
        let ran = Scenario::new("service s handle timeout 500; start a", does)
            .signals(&["a done"])
            .run()
            .await;
        assert_eq!(ran.times(line).len(), 1, "{does}");
        assert_eq!(ran.times(line)[0].as_millis(), time, "{does}");
        assert_eq!(ran.report.exit_code(), if time == 500 { 3 } else { 0 }, "{does}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_without_a_timeout_has_the_time_of_the_rollback_to_end() {
    let ended =
        Scenario::new("service s handle; start a", "s hangs").signals(&["a done"]).run().await;
    let limit = Limit::Grace;
    let service = ended.report.hooks.iter().find(|hook| hook.hook.name() == "s");
    assert_eq!(service.expect("s").outcome, Outcome::TimedOut { limit, ended: true });
}

#[tokio::test(start_paused = true)]
async fn a_service_that_becomes_ready_in_the_rollback_has_its_time_when_the_stop_waits_for_it() {
    let does = "s is ready after 400 and takes 300";
    let ended = Scenario::new("service s handle timeout 500; start a", does)
        .signals(&["a done"])
        .run()
        .await;
    assert_eq!(ended.times("s done"), [Duration::from_millis(700)]);
    assert_eq!(ended.report.exit_code(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_a_start_leaves_behind_is_not_called_stopped() {
    let ended = Scenario::new("service s handle; start a; stop c", "s blocks until c done")
        .signals(&["a done", "-s"])
        .run()
        .await;
    assert_eq!((ended.count("s left behind"), ended.count("c done")), (1, 1));
    assert_eq!(ended.report.services[0].state, ServiceState::Failed);
    assert_eq!(ended.report.exit_code(), 3);
}
