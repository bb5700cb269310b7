//! Signals for an app, not for the process.

use std::sync::atomic::Ordering;
use std::time::Duration;

use lifecycle_runtime::event::{State, StopCause};
use lifecycle_runtime::testing::{Fault, Moment, Signal, TestApp};

use crate::hooks::{announce, close_db, db, import, migrations, outbox, reload, withdraw};

#[tokio::test(start_paused = true)]
async fn sigterm_stops_the_app() {
    let app = TestApp::start().await;
    assert_eq!(app.state(), State::Ready);
    app.signal(Signal::SIGTERM);
    let report = app.end().await;
    report.assert_clean().assert_ran_once::<withdraw>();
    assert_eq!(report.cause, Some(StopCause::Signal("SIGTERM")));
    assert_eq!(app.state(), State::Stopped);
}

#[tokio::test(start_paused = true)]
async fn a_second_signal_hurries_the_stop() {
    let app = TestApp::builder().hang::<outbox>().start().await;
    app.signal(Signal::SIGINT);
    app.signal(Signal::SIGINT);
    let report = app.end().await;
    report
        .assert_exit_code(3)
        .assert_failed::<outbox>("in a hurried stop")
        .assert_ran_once::<close_db>();
    report.assert_stops_within(Duration::from_millis(200));
    assert!(report.hurried);
}

#[tokio::test(start_paused = true)]
async fn a_signal_runs_its_hooks() {
    let app = TestApp::start().await;
    app.signal(Signal::SIGHUP);
    app.until(Moment::ends::<reload>()).await;
    assert_eq!(app.get::<db>().rows.load(Ordering::Relaxed), 100);
    app.stop().await.assert_clean().assert_ran_once::<reload>();
}

#[tokio::test(start_paused = true)]
async fn a_signal_of_a_terminal_that_is_gone_stops_the_app_unless_a_hook_is_for_it() {
    let app = TestApp::builder().only::<db>().start().await;
    app.signal(Signal::SIGHUP);
    assert_eq!(app.end().await.cause, Some(StopCause::Signal("SIGHUP")));
}

#[tokio::test(start_paused = true)]
async fn a_signal_at_a_named_point_of_the_start_ends_the_start_there() {
    let builder = TestApp::builder().signal_at(Moment::ends::<migrations>(), Signal::SIGTERM);
    let report = builder.delay::<import>(Duration::from_secs(1)).run().await;
    report.assert_clean().assert_ran_once::<close_db>().assert_not_run::<announce>();
}

#[tokio::test(start_paused = true)]
async fn a_signal_at_a_named_point_of_the_stop_hurries_it() {
    let app = TestApp::builder()
        .signal_at(Moment::state(State::Draining), Signal::SIGTERM)
        .inject::<outbox>(Fault::hang())
        .start()
        .await;
    app.signal(Signal::SIGTERM);
    let report = app.end().await;
    assert!(report.hurried);
    report.assert_failed::<outbox>("in a hurried stop");
}

#[tokio::test(start_paused = true)]
async fn a_signal_at_each_point_of_a_run_leaves_nothing_open() {
    let moments = [
        Moment::begins::<db>(),
        Moment::ends::<db>(),
        Moment::begins::<migrations>(),
        Moment::ends::<migrations>(),
        Moment::ready::<outbox>(),
        Moment::ends::<import>(),
        Moment::state(State::Ready),
    ];
    for moment in moments {
        let report = TestApp::builder().signal_at(moment.clone(), Signal::SIGTERM).run().await;
        let has_started =
            report.hooks.iter().any(|hook| hook.hook.name() == "db" && !hook.outcome.is_failure());
        let closed = report.hooks.iter().filter(|hook| hook.hook.name() == "close_db").count();
        assert_eq!(closed, usize::from(has_started), "a signal when {moment}:\n{report}");
    }
}
