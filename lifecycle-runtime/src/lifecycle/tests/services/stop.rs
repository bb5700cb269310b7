//! Tests of the end of services in a stop: when each is told, and one that does not end.

use std::time::Duration;

use crate::event::{Limit, Outcome, ServiceState};
use crate::hook::stop::StopCause;
use crate::lifecycle::tests::scenario::Scenario;

#[tokio::test(start_paused = true)]
async fn a_service_that_does_not_end_is_cancelled_when_its_time_is_up() {
    let plan = "start db; service s needs db timeout 300; stop close of db";
    let ran = Scenario::new(plan, "s hangs").run().await;
    ran.check(&[
        "0 +db",
        "0 db done",
        "0 +s",
        "0 s running",
        "0 ready",
        "0 -s",
        "300 s timed out",
        "300 +close",
        "300 close done",
    ]);
    assert_eq!(
        ran.report.hooks[1].outcome,
        Outcome::TimedOut { limit: Limit::Timeout, ended: true }
    );
    assert_eq!(ran.report.exit_code(), 3);
    assert_eq!(ran.report.services[0].state, ServiceState::Failed);
}

#[tokio::test(start_paused = true)]
async fn one_without_a_timeout_leaves_what_is_behind_it_its_time() {
    let plan = "start db; service s needs db; stop close of db timeout 3000";
    let ran = Scenario::new(plan, "s hangs; close takes 2900").grace(10_000).run().await;
    ran.check_order(&["-s", "s timed out", "+close", "close done"]);
    assert_eq!(ran.report.stop_took, Duration::from_millis(9_310));
}

#[tokio::test(start_paused = true)]
async fn a_thread_that_does_not_end_is_left_behind_and_told_of() {
    let ran = Scenario::new("service s timeout 300; stop flush", "s blocks until flush done");
    let ran = ran.run().await;
    ran.check_order(&["-s", "s abandoned", "+flush", "flush done"]);
    assert_eq!(ran.report.exit_code(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_time_that_was_over_before_the_stop_waited_gives_a_thread_no_more_of_it() {
    let plan = "service s told drain timeout 2000; drain withdraw; stop flush";
    let ended = Scenario::new(plan, "s blocks until flush done; withdraw takes 10000").run().await;
    assert_eq!(ended.times("s abandoned"), [Duration::from_millis(10_100)]);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_fails_as_it_stops_fails_the_run_and_holds_nothing_up() {
    let ran = Scenario::new("service s restart always; stop flush", "s runs and fails").run().await;
    ran.check(&[
        "0 +s",
        "0 s running",
        "0 ready",
        "0 -s",
        "0 s failed",
        "0 +flush",
        "0 flush done",
    ]);
    assert_eq!(ran.report.exit_code(), 3);
    assert_eq!(ran.report.cause, Some(StopCause::Signal("SIGTERM")));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_backs_off_when_it_is_told_is_done() {
    let plan = "service s restart on_failure backoff 60000..60000; stop flush";
    let ran = Scenario::new(plan, "s fails").signals(&["s backs off"]).run().await;
    ran.check_order(&["s backs off", "-s", "s done", "+flush"]);
    assert!(ran.report.stop_took < Duration::from_millis(1), "{:?}", ran.report.stop_took);
    assert_eq!(ran.last_error(), "failed: s is broken");
}

#[tokio::test(start_paused = true)]
async fn a_long_stop_says_that_it_waits_for_services_and_a_long_start_for_those_that_are_not_ready()
{
    let ran = Scenario::new(
        "service s; service t; stop flush",
        "s runs and takes 2500; t runs and takes 1500",
    )
    .run()
    .await;
    assert_eq!(ran.waits(), [vec!["s", "t"], vec!["s"]]);
    let ran =
        Scenario::new("service s handle; service t", "s is ready after 6000; t runs").run().await;
    assert_eq!(ran.waits(), [vec!["s"]]);
}

#[tokio::test(start_paused = true)]
async fn a_service_may_be_told_at_the_beginning_of_the_drain() {
    let plan =
        "service consumer told drain timeout 2000; service outbox; drain withdraw; stop last";
    let ran = Scenario::new(plan, "consumer runs and takes 100; outbox runs; withdraw takes 500")
        .run()
        .await;
    ran.check_order(&[
        "-consumer",
        "consumer done",
        "withdraw done",
        "-outbox",
        "outbox done",
        "+last",
    ]);
    assert_eq!(ran.times("-consumer"), ran.times("+withdraw"));
    assert_eq!(ran.report.exit_code(), 0);
    // Its time counts from the command to stop.
    let ran = Scenario::new(plan, "consumer hangs; outbox runs; withdraw takes 500").run().await;
    assert_eq!(ran.times("consumer timed out"), [Duration::from_millis(2_000)]);
    let ran = Scenario::new(plan, "consumer hangs; outbox runs; withdraw takes 3000").run().await;
    assert_eq!(ran.times("consumer timed out"), [Duration::from_millis(2_000)]);
    assert_eq!(ran.count("consumer timed out"), 1);
    assert_eq!(ran.report.exit_code(), 3);
    // A hurried stop no longer waits for it.
    let ran = Scenario::new(plan, "consumer hangs; outbox runs; withdraw takes 1000")
        .signals(&["ready", "+withdraw"])
        .run()
        .await;
    assert_eq!(ran.times("consumer timed out"), [Duration::ZERO]);
    assert_eq!(ran.times("withdraw done"), [Duration::from_millis(1_000)]);
}
