//! Services that fail: which of them are restarted, and the effect on the others.

use std::time::Duration;

use lifecycle_runtime::event::ServiceState;
use lifecycle_runtime::hook::{Hook, HookMeta};
use lifecycle_runtime::testing::{Fault, Moment, TestReport};
use tokio::time::{Instant, sleep};

use super::{FAULTS, Place, assert_ended, send_two, written_by};
use crate::batches::batches;
use crate::forward::forward;
use crate::store::close_db;
use crate::tail::tail;

const MILLISECOND: Duration = Duration::from_millis(1);

fn restarts(report: &TestReport, hook: &HookMeta) -> u32 {
    report.services.iter().find(|service| service.hook == hook).expect("it ran").restarts
}

#[lifecycle_runtime::test]
async fn a_tail_that_fails_is_not_run_again_and_ends_the_process_in_order() {
    let place = Place::new().await;
    for (fault, how) in &FAULTS[..2] {
        // The service fails before the first health checks have made the worker ready, so the start
        // fails.
        let report = place.worker().inject::<tail>(fault()).run().await;
        report.assert_exit_code(1).assert_ran_once::<tail>().assert_ran_once::<close_db>();
        report.assert_stopped_before::<forward, batches>().assert_before::<batches, close_db>();
        assert_ended(&report, tail::META, how);
        assert_eq!((restarts(&report, tail::META), report.failures().count()), (0, 1), "{report}");
    }
    assert_eq!(place.caught_up().await, ["old", "new"]);
}

#[lifecycle_runtime::test]
async fn batches_that_fail_are_run_again_and_miss_no_line() {
    for (fault, how) in &FAULTS[..2] {
        let (place, began) = (Place::empty(), Instant::now());
        let app =
            place.worker().replace::<tail>(()).inject::<batches>(fault().on_run(1)).start().await;
        send_two(&app).await;
        sleep(50 * MILLISECOND).await;
        let reason = app.readiness().expect_err("a batch could not be written");
        assert!(
            reason.contains("service `batches` is backing off: it ") && reason.contains(how),
            "{reason}"
        );
        app.until(Moment::ready::<batches>().times(2)).await;
        assert_eq!((began.elapsed(), app.readiness()), (100 * MILLISECOND, Ok(())));
        written_by(&app, 2).await;
        let report = app.stop().await;
        report.assert_clean();
        assert_eq!(restarts(&report, batches::META), 1);
        assert_eq!(place.lines().await, ["a", "b"]);
    }
}

#[lifecycle_runtime::test]
async fn batches_that_fail_again_and_again_end_the_process_and_lose_no_line() {
    let place = Place::new().await;
    for (fault, how) in &FAULTS[..2] {
        let began = Instant::now();
        let report =
            place.worker().replace::<tail>(()).inject::<batches>(fault()).start().await.end().await;
        // The wait doubles each time.
        assert_eq!(began.elapsed(), (100 + 200 + 400 + 800 + 1600) * MILLISECOND, "{report}");
        report.assert_exit_code(3).assert_ran_once::<close_db>();
        assert_ended(
            &report,
            batches::META,
            "failed: 5 restarts within 1m did not help, the last run ",
        );
        report.assert_failed::<batches>(how);
        assert_eq!(
            (restarts(&report, batches::META), report.failures().count()),
            (5, 1),
            "{report}"
        );
    }
    assert_eq!(place.caught_up().await, ["old", "new"]);
}

#[lifecycle_runtime::test]
async fn a_forward_that_fails_is_run_again_for_as_long_as_it_takes_and_only_readiness_suffers() {
    for (fault, how) in &FAULTS[..2] {
        let began = Instant::now();
        let place = Place::empty();
        let builder = (1..=20)
            .fold(place.at_rest(), |builder, n| builder.inject::<forward>(fault().on_run(n)));
        let app = builder.start().await;
        let mut expected = 0;
        for (n, delay) in (1..)
            .zip([100, 200, 400, 800, 1600, 3200].into_iter().chain(std::iter::repeat_n(5000, 14)))
        {
            app.until(Moment::ready::<forward>().times(n)).await;
            assert_eq!(began.elapsed(), expected * MILLISECOND, "run {n}");
            sleep(MILLISECOND).await;
            let reason = app.readiness().expect_err("there is no collector");
            assert!(
                reason.contains("service `forward` is backing off: it ") && reason.contains(how),
                "{reason}"
            );
            expected += delay;
        }
        app.until(Moment::ready::<forward>().times(21)).await;
        assert_eq!(app.readiness(), Ok(()));
        let report = app.stop().await;
        report.assert_clean();
        assert_eq!(restarts(&report, forward::META), 20);
        assert!(
            report.services.iter().all(|service| service.state == ServiceState::Stopped),
            "{report}"
        );
    }
}

#[lifecycle_runtime::test]
async fn a_stop_does_not_wait_for_the_next_run() {
    let place = Place::empty();
    let app = place.at_rest().inject::<forward>(Fault::fail("no route")).start().await;
    app.until(Moment::ready::<forward>().times(8)).await;
    let report = app.stop().await;
    report.assert_stops_within(Duration::ZERO).assert_ran_once::<close_db>();
    assert_eq!(report.failures().count(), 0, "{report}");
}
