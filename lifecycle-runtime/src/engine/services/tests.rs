//! Tests of supervision as data, on paused time: each gives the behaviour of a service's runs and
//! the commands to the service, and expects lines.

mod supervisor_run;
mod tasks;
mod threads;

use std::time::Duration;

use futures_util::future::FutureExt;
use tokio::time::Instant;

use super::restarts::{AfterEnd, RestartTracker};
use crate::event::Outcome;
use crate::hook::state::State;
use crate::hook::task::{Task, Value};
use crate::hook::{Backoff, Restart, RestartLimit, ServicePolicy};
use supervisor_run::{SupervisorRun, check, hook};

#[tokio::test(start_paused = true)]
async fn a_service_that_ends_well_is_done() {
    for restart in ["restart never", "restart on_failure"] {
        check(
            restart,
            "ends after 10",
            "",
            "0 starting | 0 running | 0 awaited: ready | 10 stopped: done",
        )
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_fails_for_good_stops_the_process() {
    for (does, error) in [("fails", "failed: broken"), ("panics", "panicked: oops")] {
        let failed = format!("10 failed: {error}");
        let asked = format!("10 asked: hook `svc` (app.rs:1) {error}");
        check(
            "restart never",
            &format!("{does} after 10"),
            "",
            &format!("0 starting | 0 running | 0 awaited: ready | {failed} | {asked}"),
        )
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn unless_its_end_is_ignored() {
    check(
        "restart never exit ignore",
        "fails after 10",
        "",
        "0 starting | 0 running | 0 awaited: ready | 10 failed: failed: broken",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_backoff_doubles_up_to_its_cap() {
    check(
        "restart on_failure most 4/60000 backoff 100..300",
        "fails; panics; fails; fails; runs",
        "stop 5000",
        "0 starting | 0 running | 0 awaited: ready | 0 backing off 100: failed: broken | 100 \
         starting | \
         100 running | 100 backing off 200: panicked: oops | 300 starting | 300 running | \
         300 backing off 300: failed: broken | 600 starting | 600 running | \
         600 backing off 300: failed: broken | 900 starting | 900 running | 5000 stopping | 5000 \
         awaited: done",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_service_that_always_restarts_does_so_when_it_ends_well() {
    check(
        "restart always most 5/60000 backoff 100..100",
        "ends; runs",
        "stop 500",
        "0 starting | 0 running | 0 awaited: ready | 0 backing off 100: done | 100 starting | 100 \
         running | \
         500 stopping | 500 awaited: done",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn restart_intensity_ends_what_returns_at_once_in_a_loop() {
    check(
        "restart always most 2/60000 backoff 100..100",
        "ends",
        "",
        "0 starting | 0 running | 0 \
        awaited: ready | 0 backing off 100: done | 100 starting | 100 running | \
         100 backing off 100: done | 200 starting | 200 running | \
         200 failed: failed: 2 restarts within 1m did not help, the last run ended without an \
         error | \
         200 asked: hook `svc` (app.rs:1) failed: 2 restarts within 1m did not help, the last run \
         ended without an error",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn too_many_failures_are_a_failure_that_says_what_the_last_was() {
    check(
        "restart on_failure most 1/60000 backoff 100..100 exit ignore",
        "fails; panics",
        "",
        "0 starting | 0 running | 0 awaited: ready | 0 backing off 100: failed: broken | 100 \
         starting | \
         100 running | 100 failed: failed: 1 restart within 1m did not help, the last run \
         panicked: oops",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_told_to_stop_is_waited_for() {
    check(
        "restart always",
        "runs, and ends after 70",
        "stop 30",
        "0 starting | 0 running | 0 awaited: ready | 30 stopping | 100 awaited: done",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn one_that_is_told_to_stop_is_not_run_again_however_it_ends() {
    for (does, how) in [("fails", "failed: broken"), ("panics", "panicked: oops"), ("ends", "done")]
    {
        let awaited = format!("100 awaited: {how}");
        check(
            "restart always",
            &format!("runs, and {does} after 70"),
            "stop 30",
            &format!("0 starting | 0 running | 0 awaited: ready | 30 stopping | {awaited}"),
        )
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_backs_off_when_it_is_told_to_stop_is_done() {
    check(
        "restart on_failure backoff 1000..1000",
        "fails",
        "stop 30",
        "0 starting | 0 running | 0 awaited: ready | 0 backing off 1000: failed: broken | 30 \
         stopping | \
         30 awaited: done",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn one_that_does_not_end_is_cancelled() {
    check(
        "restart always",
        "hangs",
        "stop 30; cancel 80",
        "0 starting | 0 running | 0 awaited: ready | 30 stopping | 80 awaited: cancelled",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn one_that_has_ended_can_not_be_told() {
    check(
        "restart never",
        "ends",
        "stop 30",
        "0 starting | 0 running | 0 awaited: ready | 0 stopped: done | 30 over already",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn one_that_takes_its_handle_has_started_when_it_says_so() {
    check(
        "restart never handle",
        "is ready after 50, and ends after 20",
        "",
        "0 starting | 50 running | 50 awaited: ready | 70 stopped: done",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn one_that_ends_well_before_it_is_ready_has_started_and_ended() {
    check(
        "restart never handle",
        "ends after 10",
        "",
        "0 starting | 10 stopped: done | 10 awaited: done",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn one_that_fails_for_good_before_it_is_ready_never_started() {
    for on_exit in ["", "exit ignore"] {
        check(
            &format!("restart never {on_exit} handle"),
            "fails after 50",
            "",
            "0 starting | 50 awaited: failed: broken",
        )
        .await;
    }
    check(
        "restart on_failure most 1/60000 backoff 100..100 handle",
        "fails",
        "",
        "0 starting | 0 backing off 100: failed: broken | 100 starting | \
         100 awaited: failed: 1 restart within 1m did not help, the last run failed: broken",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn one_that_is_ready_in_its_second_run_has_started_late() {
    check(
        "restart on_failure backoff 100..100 handle",
        "fails; is ready after 50, and ends after 20",
        "",
        "0 starting | 0 backing off 100: failed: broken | 100 starting | 150 running | \
         150 awaited: ready | 170 stopped: done",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn every_run_says_again_that_it_is_ready() {
    check(
        "restart on_failure backoff 100..100 handle",
        "is ready after 0, and fails; is ready after 50, and runs",
        "stop 200",
        "0 starting | 0 running | 0 backing off 100: failed: broken | 0 awaited: ready | \
         100 starting | 150 running | 200 stopping | 200 awaited: done",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn one_that_is_cancelled_before_it_is_ready_never_started() {
    check(
        "restart never handle",
        "hangs",
        "cancel 30",
        "0 starting | 30 stopping | 30 awaited: cancelled",
    )
    .await;
    check(
        "restart on_failure backoff 100..100 handle",
        "fails",
        "cancel 30",
        "0 starting | 0 backing off 100: failed: broken | 30 stopping | 30 awaited: cancelled",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_a_service_is_told_is_not_that_the_stop_has_begun() {
    let (sender, stops) = std::sync::mpsc::channel();
    let sender = std::sync::Mutex::new(sender);
    let run = SupervisorRun::start(hook("restart never"), move |scope| {
        sender.lock().expect("no panic").send(scope.stop()).expect("the test waits");
        Task::future(async move {
            scope.stop().requested().await;
            Ok(Value::new(()))
        })
    });
    run.until("awaited: ready").await;
    let stop = stops.recv().expect("it runs");
    run.drain();
    assert!(
        !stop.is_requested()
            && !stop.wait(Duration::ZERO)
            && stop.requested().now_or_never().is_none()
    );
    assert_eq!(stop.state(), State::Draining);
    run.stop();
    assert!(
        stop.is_requested()
            && stop.wait(Duration::ZERO)
            && stop.requested().now_or_never().is_some()
    );
    run.until("awaited: done").await;
}

const MINUTE: Duration = Duration::from_secs(60);

/// Returns the delays before the next runs of a service whose runs fail after these seconds. A
/// `None` stands for a service that has failed for good.
fn delays(count: impl Into<Option<u32>>, runs: &[u64], jitter: fn() -> f64) -> Vec<Option<u128>> {
    let backoff = Backoff { first: Duration::from_millis(100), cap: Duration::from_millis(1_000) };
    let max_restarts = count.into().map(|count| RestartLimit { count, within: MINUTE });
    let policy = ServicePolicy {
        restart: Restart::OnFailure,
        backoff,
        max_restarts,
        ..ServicePolicy::DEFAULT
    };
    let mut restarts = RestartTracker::new(policy);
    let mut now = Instant::now();
    let next = runs.iter().map(|&ran| {
        now += Duration::from_secs(ran);
        match restarts.next(
            Err(Outcome::Failed { error: "broken".into() }),
            Duration::from_secs(ran),
            now,
            jitter,
        ) {
            AfterEnd::Again { delay, .. } => {
                now += delay;
                Some(delay.as_millis())
            }
            AfterEnd::Over(_) => None,
        }
    });
    next.collect()
}

#[test]
fn restarts_count_within_any_window_and_no_longer() {
    assert_eq!(delays(2, &[0, 0, 0], || 1.0), [Some(100), Some(200), None]);
    // When the third run fails, the first restart is exactly as old as the window is long.
    assert_eq!(delays(2, &[0, 30, 30], || 1.0)[2], Some(100));
    assert_eq!(delays(2, &[0, 30, 29], || 1.0)[2], None);
    // If failures are far enough apart, restarts never end.
    assert!(delays(2, &[31; 1_000], || 1.0).iter().all(Option::is_some));
}

#[test]
fn the_backoff_begins_anew_after_a_run_that_lasted_longer_than_the_longest() {
    for count in [Some(9), None] {
        assert_eq!(delays(count, &[0, 0, 1, 0], || 1.0), [100, 200, 400, 800].map(Some));
        assert_eq!(delays(count, &[0, 0, 2, 0], || 1.0), [100, 200, 100, 200].map(Some));
    }
}

#[test]
fn without_a_limit_there_is_no_end_to_restarts() {
    assert!(delays(None, &[0; 1_000], || 1.0).iter().all(Option::is_some));
}

#[test]
fn the_jitter_takes_up_to_half_of_the_backoff_away() {
    assert_eq!(delays(9, &[0; 5], || 0.0), [50, 100, 200, 400, 500].map(Some));
    assert_eq!(delays(9, &[0; 5], || 0.5), [75, 150, 300, 600, 750].map(Some));
}

#[test]
fn any_number_of_restarts_in_a_row_is_a_number() {
    let last = delays(u32::MAX, &[0; 100], || 1.0).pop();
    assert_eq!(last, Some(Some(1_000)));
}
