//! Injected faults, and their effects.

use std::sync::Mutex;
use std::time::Duration;

use lifecycle_runtime::event::{Outcome, ServiceState};
use lifecycle_runtime::hook::Hook as _;
use lifecycle_runtime::testing::{Fault, Moment, TestApp, TestReport};
use lifecycle_runtime::{Dep, Lifecycle, on_shutdown, on_startup};

use crate::hooks::{close_db, db, farewell, flush, import, migrations, outbox, ping, settings};

#[tokio::test(start_paused = true)]
async fn a_start_that_fails_undoes_what_had_started_and_nothing_else() {
    let report = TestApp::builder().fail::<migrations>("the table is locked").run().await;
    report.assert_exit_code(1).assert_failed::<migrations>("the table is locked");
    report.assert_ran_once::<close_db>().assert_not_run::<outbox>();
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_fails_has_no_teardown() {
    let report = TestApp::builder().fail::<db>("refused").run().await;
    report.assert_exit_code(1).assert_not_run::<close_db>().assert_not_run::<migrations>();
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failure() {
    let report = TestApp::builder().panic::<flush>().run().await;
    report.assert_exit_code(3).assert_failed::<flush>("panicked: injected by the test");
    report.assert_ran_once::<close_db>().assert_ran_once::<farewell>();
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_hangs_runs_into_its_timeout() {
    let report = TestApp::builder().hang::<close_db>().run().await;
    report.assert_exit_code(3).assert_failed::<close_db>("ran into its timeout");
    report.assert_stops_within(Duration::from_secs(5));
    assert!(report.stop_took >= Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn a_plain_function_that_hangs_or_is_late_does_so_on_paused_time() {
    let report = TestApp::builder().hang::<import>().run().await;
    report.assert_exit_code(1).assert_failed::<import>("ran into the startup timeout");
    let report = TestApp::builder().delay::<import>(Duration::from_secs(3)).run().await;
    report.assert_clean();
    assert_eq!(report.start_took, Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_is_late_within_its_time_is_no_failure() {
    let report = TestApp::builder().delay::<db>(Duration::from_secs(9)).run().await;
    report.assert_clean().assert_before::<db, migrations>();
    let report = TestApp::builder().delay::<db>(Duration::from_secs(11)).run().await;
    report.assert_exit_code(1).assert_failed::<db>("ran into its timeout");
}

#[tokio::test(start_paused = true)]
async fn a_fake_can_be_late_and_can_fail() {
    let builder = || TestApp::builder().replace::<settings>("memory".to_owned());
    let report = builder().delay::<settings>(Duration::from_secs(2)).run().await;
    report.assert_clean();
    assert_eq!(report.start_took, Duration::from_secs(2));
    builder().fail::<settings>("no").run().await.assert_exit_code(1);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_fails_on_one_run_is_run_again() {
    let app = TestApp::builder()
        .inject::<outbox>(Fault::fail("the queue is gone").on_run(1))
        .start()
        .await;
    app.until(Moment::ready::<outbox>().times(2)).await;
    let report = app.stop().await;
    report.assert_clean();
    assert_eq!(report.services[0].restarts, 1);
    let last_error = report.services[0].last_error.as_ref().expect("a run has failed");
    assert_eq!(last_error.to_string(), "failed: the queue is gone");
}

#[tokio::test(start_paused = true)]
async fn a_service_that_fails_on_every_run_stops_the_app() {
    let app = TestApp::builder().fail::<outbox>("the queue is gone").start().await;
    let report = app.end().await;
    report
        .assert_exit_code(3)
        .assert_failed::<outbox>("the queue is gone")
        .assert_ran_once::<close_db>();
    assert_eq!(report.services[0].state, ServiceState::Failed);
    let cause = report.cause.as_ref().expect("it has stopped").to_string();
    assert!(cause.starts_with("service `outbox` (tests/tests/testing/hooks.rs:"), "{cause}");
    assert!(cause.ends_with("the last run failed: the queue is gone"), "{cause}");
    for line in report.to_string().lines() {
        assert!(line.matches("the queue is gone").count() <= 1, "{line}");
    }
}

/// Value that notes the steps of a hook which waits twice, including its drop.
#[derive(Default)]
struct Steps(Mutex<Vec<&'static str>>);

impl Steps {
    fn add(&self, step: &'static str) {
        self.0.lock().expect("no panic").push(step);
    }
}

#[on_startup]
async fn steps() -> Steps {
    Steps::default()
}

#[on_shutdown(of = steps, timeout = "1s")]
async fn takes_and_writes(steps: Dep<steps>) {
    struct Batch<'s>(&'s Steps);
    impl Drop for Batch<'_> {
        fn drop(&mut self) {
            self.0.add("dropped");
        }
    }
    let batch = Batch(&steps);
    std::future::ready(()).await;
    tokio::task::yield_now().await;
    batch.0.add("taken");
    tokio::task::yield_now().await;
    batch.0.add("written");
}

#[on_startup]
fn plain() {}

async fn at_await(fault: Fault) -> (TestReport, Vec<&'static str>) {
    let builder =
        TestApp::of(Lifecycle::of([takes_and_writes::META])).inject::<takes_and_writes>(fault);
    let app = builder.start().await;
    let steps = app.get::<steps>();
    let report = app.stop().await;
    let taken = steps.0.lock().expect("no panic").clone();
    (report, taken)
}

#[lifecycle_runtime::test]
async fn a_fault_comes_up_inside_a_body_where_it_waits() {
    let (report, steps) = at_await(Fault::fail("reset").at_await(1)).await;
    report.assert_exit_code(3).assert_failed::<takes_and_writes>("failed: reset");
    assert_eq!(steps, ["dropped"]);
    let (report, steps) = at_await(Fault::panic().at_await(2)).await;
    report.assert_failed::<takes_and_writes>("panicked: injected by the test");
    assert_eq!(steps, ["taken", "dropped"]);
    let (report, steps) = at_await(Fault::hang().at_await(2)).await;
    report.assert_failed::<takes_and_writes>("ran into its timeout");
    assert_eq!(steps, ["taken", "dropped"]);
    let (report, steps) = at_await(Fault::delay(Duration::from_millis(300)).at_await(2)).await;
    report.assert_clean();
    assert_eq!(
        (steps, report.stop_took),
        (vec!["taken", "written", "dropped"], Duration::from_millis(300))
    );
}

#[lifecycle_runtime::test]
#[should_panic(expected = "await 3 of `takes_and_writes` never came, its body waited 2 times")]
async fn a_fault_at_an_await_that_never_comes_is_a_mistake() {
    at_await(Fault::fail("reset").at_await(3)).await;
}

#[lifecycle_runtime::test]
#[should_panic(expected = "`plain` is a plain `fn`, which has no await")]
async fn a_fault_at_an_await_of_a_plain_function_is_a_mistake() {
    TestApp::of(Lifecycle::of([plain::META]))
        .inject::<plain>(Fault::fail("no").at_await(1))
        .run()
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_health_check_fails_when_the_test_says_so() {
    let app = TestApp::builder().fail::<ping>("no route").start().await;
    app.until(Moment::ends::<ping>().times(3)).await;
    let report = app.stop().await;
    report.assert_clean();
    assert_eq!((report.recurring[0].runs, report.recurring[0].failures), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn the_error_keeps_its_causes() {
    #[derive(Debug)]
    struct Outer(std::io::Error);
    impl std::fmt::Display for Outer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("can't read the file")
        }
    }
    impl std::error::Error for Outer {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }
    let report =
        TestApp::builder().fail::<flush>(Outer(std::io::Error::other("disk on fire"))).run().await;
    let failed = report.failures().next().expect("a failure");
    assert_eq!(
        failed.outcome,
        Outcome::Failed { error: "can't read the file: disk on fire".to_owned() }
    );
}
