//! Assertions: what each checks, and its message.

use std::time::Duration;

use lifecycle_runtime::hook::Hook;
use lifecycle_runtime::testing::{TestApp, TestReport};

use crate::hooks::{close_db, db, farewell, flush, import, migrations, outbox, reload, settings};

/// Runs everything, with an `import` that takes 10 ms.
async fn a_run() -> TestReport {
    TestApp::builder().delay::<import>(Duration::from_millis(10)).run().await
}

#[tokio::test(start_paused = true)]
async fn what_holds_passes_and_goes_on_to_the_next() {
    a_run()
        .await
        .assert_clean()
        .assert_exit_code(0)
        .assert_order(&[settings::META, db::META, import::META, flush::META, farewell::META])
        .assert_before::<migrations, outbox>()
        .assert_before::<outbox, flush>()
        .assert_overlapped::<import, migrations>()
        .assert_overlapped::<outbox, import>()
        .assert_ran_once::<import>()
        .assert_not_run::<reload>()
        .assert_stops_within(Duration::from_millis(1));
}

macro_rules! fails {
    ($($name:ident: $says:literal, $assert:expr;)*) => {
        $(
            #[tokio::test(start_paused = true)]
            #[should_panic(expected = $says)]
            async fn $name() {
                let assert: fn(&TestReport) = $assert;
                assert(&a_run().await);
            }
        )*
    };
}

fails! {
    a_clean_run_has_no_other_exit_code: "the exit code is 0, not 3", |report| {
        report.assert_exit_code(3);
    };
    an_order_that_is_not_so: "`flush` was not over when `db` began", |report| {
        report.assert_order(&[settings::META, flush::META, db::META]);
    };
    before_is_not_beside: "`import` was not over when `migrations` began", |report| {
        report.assert_before::<import, migrations>();
    };
    a_service_that_runs_is_not_over_for_the_stop:
        "`flush` was not over when `outbox` began", |report| {
        report.assert_before::<flush, outbox>();
    };
    what_did_not_run_was_not_before: "`reload` did not run", |report| {
        report.assert_before::<reload, flush>();
    };
    what_did_not_run_did_not_run_once: "`reload` did not run", |report| {
        report.assert_ran_once::<reload>();
    };
    what_ran_did_run: "`import` ran", |report| { report.assert_not_run::<import>(); };
    one_behind_the_other_is_no_overlap: "`flush` had ended when `farewell` began", |report| {
        report.assert_overlapped::<farewell, flush>();
    };
    what_succeeded_did_not_fail: "`flush` done; expected it to fail", |report| {
        report.assert_failed::<flush>("x");
    };
    a_hook_is_no_service: "`flush` was never told to stop", |report| {
        report.assert_stopped_before::<outbox, flush>();
    };
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "the stop took 2 s, longer than 1 s")]
async fn a_stop_that_takes_long_is_said_to() {
    let report = TestApp::builder().delay::<flush>(Duration::from_secs(2)).run().await;
    report.assert_stops_within(Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "the run was not clean")]
async fn a_failure_is_not_clean() {
    TestApp::builder().fail::<flush>("no").run().await.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn a_failure_shows_all_that_happened_with_a_lane_for_each_hook() {
    let builder = TestApp::builder()
        .only::<flush>()
        .only::<outbox>()
        .only::<import>()
        .without::<migrations>();
    let builder = builder.replace::<settings>("memory".to_owned()).replace::<outbox>(());
    let report = builder
        .delay::<import>(Duration::from_millis(5))
        .fail::<flush>("the disk is full")
        .run()
        .await;
    let expected = "
      0 µs      — starting —
      0 µs  ┌   settings begins
      0 µs  └   settings done (0 µs)
      0 µs  ┌   db begins
      0 µs  └   db done (0 µs)
      0 µs  ┌   import begins
      0 µs  │┌  service outbox begins
      0 µs  ││  service outbox is running
    5.0 ms  └│  import done (5.0 ms)
    5.0 ms   │  — ready —
    5.0 ms   │  stop: requested by the program
    5.0 ms   │  — draining —
    5.0 ms   │  — stopping —
    5.0 ms   │  service outbox is stopping
    5.0 ms   └  service outbox done (5.0 ms)
    5.0 ms  ┌   flush begins
    5.0 ms  └   flush failed: the disk is full (0 µs)
    5.0 ms  ┌   close_db begins
    5.0 ms  └   close_db done (0 µs)
    5.0 ms      — stopped —
";
    assert!(report.to_string().starts_with(expected.trim_start_matches('\n')), "{report}");
    report.assert_ran_once::<close_db>();
}
