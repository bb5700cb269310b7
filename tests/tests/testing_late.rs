//! Plain functions that are late, or for which time stands still: they end as they would otherwise.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use lifecycle_runtime::event::Outcome;
use lifecycle_runtime::hook::Hook as _;
use lifecycle_runtime::testing::{TestApp, TestAppBuilder};
use lifecycle_runtime::{Dep, Lifecycle, on_shutdown, on_startup, service};
use tokio::sync::Notify;

const LATE: Duration = Duration::from_secs(3);

#[on_startup]
fn panics() {
    panic!("no idea")
}

#[service]
fn panics_in_the_background() {
    panic!("no idea")
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_one() {
    let late = || TestApp::of(Lifecycle::of([panics::META])).delay::<panics>(LATE);
    for builder in [late(), late().real_io_for_all()] {
        let report = builder.run().await;
        report.assert_exit_code(1).assert_failed::<panics>("panicked: no idea");
        let failed = report.failures().next().expect("a failure");
        assert!(matches!(failed.outcome, Outcome::Panicked { .. }), "{report}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_panic_of_a_service_is_one() {
    let builder = || TestApp::of(Lifecycle::of([panics_in_the_background::META]));
    let late = || builder().delay::<panics_in_the_background>(LATE);
    for builder in [late(), builder().real_io::<panics_in_the_background>()] {
        let report = builder.start().await.end().await;
        let error = report.services[0].last_error.as_ref().expect("it has failed");
        assert_eq!(error.to_string(), "panicked: no idea");
    }
}

/// Connection that a hook may be using.
#[derive(Default)]
struct Line {
    is_in_use: AtomicBool,
    was_used: Notify,
}

static WAS_CLOSED_IN_USE: AtomicBool = AtomicBool::new(false);

#[on_startup]
async fn line() -> Line {
    Line::default()
}

#[on_startup]
fn uses_the_line(line: Dep<line>) {
    line.is_in_use.store(true, Ordering::SeqCst);
    line.was_used.notify_one();
    // A teardown that did not wait would run meanwhile. One that waits does, however long this is.
    thread::sleep(Duration::from_millis(100));
    line.is_in_use.store(false, Ordering::SeqCst);
}

#[on_startup]
async fn fails_meanwhile(line: Dep<line>) -> Result<(), &'static str> {
    line.was_used.notified().await;
    Err("no answer")
}

#[on_shutdown(of = line)]
async fn close_line(line: Dep<line>) {
    WAS_CLOSED_IN_USE.fetch_or(line.is_in_use.load(Ordering::SeqCst), Ordering::SeqCst);
}

#[tokio::test(start_paused = true)]
async fn a_start_that_fails_waits_for_what_cannot_be_cancelled() {
    let hooks = [uses_the_line::META, fails_meanwhile::META, close_line::META];
    let builder = || TestApp::of(Lifecycle::of(hooks));
    let late = |builder: TestAppBuilder| builder.delay::<uses_the_line>(LATE);
    let real = |builder: TestAppBuilder| builder.real_io::<uses_the_line>();
    for (how, builder) in [
        ("as it is", builder()),
        ("late", late(builder())),
        ("in real time", real(builder())),
        ("late in real time", late(real(builder()))),
    ] {
        let report = builder.run().await;
        report.assert_exit_code(1).assert_ran_once::<close_line>();
        assert!(!WAS_CLOSED_IN_USE.load(Ordering::SeqCst), "{how}: {report}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_one_that_has_not_begun_is_cancelled() {
    let hooks = [uses_the_line::META, close_line::META];
    let lifecycle = Lifecycle::of(hooks).startup_timeout(LATE);
    let report = TestApp::of(lifecycle).delay::<uses_the_line>(2 * LATE).run().await;
    report.assert_exit_code(1).assert_failed::<uses_the_line>("ran into the startup timeout");
    assert_eq!(report.start_took, LATE);
}
