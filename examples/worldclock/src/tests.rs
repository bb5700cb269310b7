//! Tests of the whole service inside one process: its start, the teardowns after a failure, and the
//! files that are left on the disk.
//!
//! Time is paused. The database is a real one in a folder of its own, and time stands still while
//! its hooks run.

mod upload_test;

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use actix_web::test::{TestRequest, read_body_json};
use lifecycle_runtime::event::{Outcome, State};
use lifecycle_runtime::hook::{Hook, HookMeta};
use lifecycle_runtime::testing::{
    Fault, Moment, Signal, TestApp, TestAppBuilder, TestReport, real_io,
};
use serde_json::{Value, json};
use sqlx::SqlitePool;
use tempfile::TempDir;

use crate::config::{Config, config};
use crate::countries::countries;
use crate::runs::{backup, record_stop, run};
use crate::service;
use crate::store::{close_db, db, migrations};
use crate::table::zone_table;
use crate::zones::{import_zones, zones};

/// Returns the service in a folder, in which it leaves its database and the copy.
fn worldclock(folder: &Path) -> TestAppBuilder {
    TestApp::of(service())
        .replace::<config>(in_folder(folder))
        .real_io::<db>()
        .real_io::<migrations>()
        .real_io::<import_zones>()
        .real_io::<zones>()
        .real_io::<run>()
        .real_io::<record_stop>()
        .real_io::<backup>()
        .real_io::<close_db>()
}

/// Returns a configuration with a zone table of one row, as the shipped one takes its time.
fn in_folder(folder: &Path) -> Config {
    Config {
        database: folder.join("test.db"),
        zones: Some(folder.join("zones.csv")),
        backup: Some(copy_in(folder)),
    }
}

fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let zones = "zone,countries,latitude,longitude,comments\nAmerica/Lima,PE,-12.05,-77.05,\n";
    fs::write(folder.path().join("zones.csv"), zones).expect("a file");
    folder
}

fn copy_in(folder: &Path) -> PathBuf {
    folder.join("copy.db")
}

/// Reads the number of runs that a database has, and of those that ended.
async fn runs(database: &Path) -> (i64, i64) {
    real_io(async {
        let pool = SqlitePool::connect(&format!("sqlite:{}", database.display()))
            .await
            .expect("a database");
        let runs =
            sqlx::query_as("SELECT count(*), count(stopped_at) FROM runs").fetch_one(&pool).await;
        pool.close().await;
        runs.expect("a table of runs")
    })
    .await
}

async fn get(app: &TestApp, uri: &str) -> Value {
    let response = real_io(app.request(TestRequest::get().uri(uri))).await;
    assert_eq!(response.status(), 200, "{uri}");
    read_body_json(response).await
}

#[tokio::test(start_paused = true)]
async fn it_starts_answers_and_leaves_a_whole_database_and_a_copy() {
    let folder = folder();
    let app = worldclock(folder.path()).start().await;
    assert_eq!(get(&app, "/zones/America/Lima").await["name"], "America/Lima");
    let new = TestRequest::post()
        .uri("/clocks")
        .set_json(json!({ "label": "Ana", "zone": "America/Lima" }));
    assert_eq!(real_io(app.request(new)).await.status(), 201);
    assert_eq!(get(&app, "/clocks").await.as_array().map(Vec::len), Some(1));

    let report = app.stop().await;
    report.assert_clean();
    report.assert_order(&[
        config::META,
        db::META,
        migrations::META,
        import_zones::META,
        zones::META,
        run::META,
    ]);
    report.assert_order(&[record_stop::META, backup::META, close_db::META]);
    report.assert_overlapped::<zone_table, db>();
    assert_eq!(runs(&folder.path().join("test.db")).await, (1, 1));
    assert_eq!(runs(&copy_in(folder.path())).await, (1, 1), "the copy holds the end of the run");
}

/// Startup hooks, each with the seconds after which one that hangs is cancelled: its own timeout,
/// or that of the whole start.
const STARTS: [(&HookMeta, u64); 8] = [
    (config::META, 60),
    (countries::META, 60),
    (zone_table::META, 60),
    (db::META, 30),
    (migrations::META, 60),
    (import_zones::META, 60),
    (zones::META, 60),
    (run::META, 60),
];

/// Shutdown hooks, each with its own timeout in seconds, or the grace period of the whole stop.
const STOPS: [(&HookMeta, u64); 3] =
    [(record_stop::META, 25), (backup::META, 6), (close_db::META, 3)];

#[test]
fn no_hook_is_missing_here() {
    let plan = service().plan().expect("a plan");
    let tried = STARTS.iter().chain(&STOPS).map(|(hook, _)| *hook);
    let tried: HashSet<_> = tried.map(HookMeta::path).collect();
    assert_eq!(plan.hooks().iter().map(|hook| hook.path()).collect::<HashSet<_>>(), tried);
}

fn has_started(report: &TestReport, hook: &HookMeta) -> bool {
    report.outcome(hook) == Some(&Outcome::Succeeded)
}

async fn a_start_that_fails(fault: fn() -> Fault, how: &str) {
    for (hook, limit) in STARTS {
        let folder = folder();
        fs::write(copy_in(folder.path()), "the last copy").expect("a file");
        let report = worldclock(folder.path()).inject_into(hook, fault()).run().await;
        report.assert_exit_code(1);
        let outcome = report.outcome(hook).expect("it ran").to_string();
        assert!(
            outcome.starts_with(how) && report.start_took <= Duration::from_secs(limit),
            "{report}"
        );
        assert_eq!(report.ran(close_db::META), has_started(&report, db::META), "{report}");
        report.assert_not_run::<record_stop>().assert_not_run::<backup>();
        assert_eq!(fs::read_to_string(copy_in(folder.path())).expect("the copy"), "the last copy");
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_that_fails_closes_what_it_opened_and_keeps_the_last_copy() {
    a_start_that_fails(|| Fault::fail("injected"), "failed: injected").await;
}

#[tokio::test(start_paused = true)]
async fn so_does_a_start_that_panics() {
    a_start_that_fails(Fault::panic, "panicked: injected by the test").await;
}

#[tokio::test(start_paused = true)]
async fn so_does_a_start_that_hangs() {
    a_start_that_fails(Fault::hang, "ran into ").await;
}

async fn a_stop_that_fails(fault: fn() -> Fault, how: &str) {
    for (hook, limit) in STOPS {
        let folder = folder();
        let report = worldclock(folder.path()).inject_into(hook, fault()).run().await;
        report.assert_exit_code(3).assert_stops_within(Duration::from_secs(limit));
        let outcome = report.outcome(hook).expect("it ran").to_string();
        assert!(outcome.starts_with(how), "{report}");
        report.assert_order(&[record_stop::META, backup::META, close_db::META]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_hook_that_fails_keeps_no_other_from_running() {
    a_stop_that_fails(|| Fault::fail("injected"), "failed: injected").await;
}

#[tokio::test(start_paused = true)]
async fn nor_does_one_that_panics() {
    a_stop_that_fails(Fault::panic, "panicked: injected by the test").await;
}

#[tokio::test(start_paused = true)]
async fn nor_does_one_that_hangs() {
    a_stop_that_fails(Fault::hang, "ran ").await;
}

#[tokio::test(start_paused = true)]
async fn a_signal_at_any_point_of_the_start_leaves_a_database_that_the_next_run_takes() {
    let folder = folder();
    for moment in STARTS.iter().flat_map(|(hook, _)| [Moment::begin_of(hook), Moment::end_of(hook)])
    {
        let report =
            worldclock(folder.path()).signal_at(moment.clone(), Signal::SIGTERM).run().await;
        assert_eq!(
            report.ran(close_db::META),
            has_started(&report, db::META),
            "{moment}\n\n{report}"
        );
        assert_eq!(report.failures().count(), 0, "{moment}\n\n{report}");
    }
    worldclock(folder.path()).run().await.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn a_slow_disk_is_waited_for_within_the_time_of_each_hook() {
    let folder = folder();
    let slow = Duration::from_millis(2_500);
    let builder = worldclock(folder.path())
        .delay::<record_stop>(slow)
        .delay::<backup>(slow)
        .delay::<close_db>(slow);
    let report = builder.run().await;
    report.assert_clean().assert_stops_within(Duration::from_millis(7_500));
}

#[tokio::test(start_paused = true)]
async fn a_second_signal_still_records_the_stop_and_closes_the_database() {
    let folder = folder();
    let app = worldclock(folder.path())
        .signal_at(Moment::state(State::Draining), Signal::SIGINT)
        .start()
        .await;
    app.signal(Signal::SIGINT);
    let report = app.end().await;
    report.assert_clean().assert_ran_once::<record_stop>().assert_ran_once::<close_db>();
    assert_eq!(runs(&folder.path().join("test.db")).await, (1, 1));
}

#[tokio::test(start_paused = true)]
async fn one_hook_and_what_it_needs_runs_alone() {
    let report =
        TestApp::of(service()).only::<zone_table>().replace::<config>(unused()).run().await;
    report.assert_clean().assert_ran_once::<zone_table>().assert_ran_once::<countries>();
    report.assert_not_run::<db>().assert_not_run::<backup>();
}

fn unused() -> Config {
    Config { database: PathBuf::new(), zones: None, backup: None }
}
