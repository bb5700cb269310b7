//! Code of the page about testing: it stands here word for word, and runs.

// --- the service ---

use actix_web::test::{TestRequest, read_body};
use actix_web::{App, Responder, get};
use lifecycle_runtime::event::{Outcome, State};
use lifecycle_runtime::hook::{Hook, Kind};
use lifecycle_runtime::plan::PlanFormat;
use lifecycle_runtime::testing::{
    Explore, Fault, Moment, Signal, TestApp, TestAppBuilder, real_io,
};
use lifecycle_runtime::{BoxError, Dep, Lifecycle, Stop, on_shutdown, on_startup, service};
use std::sync::Mutex;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

struct Db {
    url: String,
    rows: Mutex<Vec<String>>,
}

#[on_startup]
fn settings() -> Result<String, BoxError> {
    std::env::var("DATABASE_URL").map_err(|_| "set DATABASE_URL to the database's address".into())
}

#[on_startup(timeout = "10s")]
async fn db(settings: Dep<settings>) -> Result<Db, BoxError> {
    Ok(Db { url: settings.to_string(), rows: Mutex::default() })
}

#[on_startup]
async fn schema(db: Dep<db>) {
    db.rows.lock().unwrap().push("create table letters".into());
}

#[service(after = [schema], restart = "on_failure", stop_timeout = "5s")]
async fn mailer(_db: Dep<db>, stop: Stop) {
    stop.requested().await;
}

#[on_shutdown(timeout = "5s")]
async fn save_drafts(db: Dep<db>) {
    db.rows.lock().unwrap().push("3 drafts".into());
}

#[on_shutdown(of = db, timeout = "5s")]
async fn close_db(db: Dep<db>) {
    db.rows.lock().unwrap().push("closed".into());
}

#[get("/")]
async fn home(db: Dep<db>) -> impl Responder {
    format!("letters are in {}", db.url)
}

/// Returns the program for `main`, which calls `service().run()`.
fn service() -> Lifecycle {
    Lifecycle::new().http(|| App::new().service(home))
}

// --- a hook is a function ---

fn fake() -> Db {
    Db { url: "memory".into(), rows: Mutex::default() }
}

#[tokio::test]
async fn drafts_are_saved() {
    let db = Dep::<db>::new(fake());
    save_drafts(db.clone()).await;
    assert_eq!(*db.rows.lock().unwrap(), ["3 drafts"]);
}

// --- the whole app ---

#[tokio::test(start_paused = true)]
async fn it_starts_and_stops() {
    let app = TestApp::of(service()).replace::<settings>("postgres://test".into()).start().await;
    assert_eq!(app.get::<db>().url, "postgres://test");
    let report = app.stop().await;
    report.assert_clean().assert_order(&[
        db::META,
        schema::META,
        save_drafts::META,
        close_db::META,
    ]);
}

// --- a part of it ---

#[tokio::test(start_paused = true)]
async fn drafts_are_saved_before_the_database_closes() {
    let app = TestApp::of(service()).only::<save_drafts>().replace::<db>(fake()).start().await;
    let db = app.get::<db>();
    let report = app.stop().await;
    report.assert_clean().assert_before::<save_drafts, close_db>().assert_not_run::<schema>();
    assert_eq!(*db.rows.lock().unwrap(), ["3 drafts", "closed"]);
}

// --- whose hooks ---

mod drafts {
    use super::*;

    /// Runs in the tests of this module alone.
    #[on_shutdown(after = [save_drafts])]
    async fn count_drafts(db: Dep<db>) -> usize {
        db.rows.lock().unwrap().len()
    }

    #[lifecycle_runtime::test]
    async fn drafts_are_saved_before_they_are_counted() {
        let report = faked().run().await;
        report.assert_clean().assert_before::<save_drafts, count_drafts>();
    }
}

// --- the short form ---

fn faked() -> TestAppBuilder {
    TestApp::of(service()).replace::<settings>("memory".into())
}

#[lifecycle_runtime::test(setup = faked)]
async fn the_schema_is_there(db: Dep<db>) {
    assert_eq!(*db.rows.lock().unwrap(), ["create table letters"]);
}

// --- requests ---

#[lifecycle_runtime::test(setup = faked)]
async fn it_answers(app: TestApp) {
    let response = app.request(TestRequest::get().uri("/")).await;
    assert_eq!(read_body(response).await, "letters are in memory");
}

#[lifecycle_runtime::test(start_paused = false)]
async fn it_answers_over_a_connection() {
    let app = faked().listen().start().await;
    let address = app.url().replace("http://", "");
    let (mut client, mut response) =
        (tokio::net::TcpStream::connect(address).await.unwrap(), String::new());
    client.write_all(b"GET / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").await.unwrap();
    client.read_to_string(&mut response).await.unwrap();
    assert!(response.ends_with("letters are in memory"));
    assert_eq!(app.stop().await.traffic.requests.finished, 1);
}

// --- what goes wrong ---

#[lifecycle_runtime::test]
async fn a_schema_that_fails_closes_the_database() {
    let report = faked().fail::<schema>("the table is locked").run().await;
    report.assert_exit_code(1).assert_failed::<schema>("the table is locked");
    report.assert_ran_once::<close_db>().assert_not_run::<mailer>();
}

#[lifecycle_runtime::test]
async fn drafts_that_hang_keep_nothing_else_from_closing() {
    let report = faked().hang::<save_drafts>().run().await;
    report.assert_exit_code(3).assert_failed::<save_drafts>("ran into its timeout");
    report.assert_ran_once::<close_db>().assert_stops_within(Duration::from_secs(5));
}

#[lifecycle_runtime::test]
async fn the_mailer_is_run_again() {
    let app = faked().inject::<mailer>(Fault::fail("no route").on_run(1)).start().await;
    app.until(Moment::ready::<mailer>().times(2)).await;
    let report = app.stop().await;
    report.assert_clean();
    assert_eq!(report.services[0].restarts, 1);
}

#[lifecycle_runtime::test]
async fn no_hook_that_fails_leaves_the_database_open() {
    for hook in service().plan().unwrap().of_kind(Kind::Startup) {
        let report = faked().inject_into(hook, Fault::panic()).run().await;
        let has_opened = report.outcome(db::META) == Some(&Outcome::Succeeded);
        assert_eq!(report.ran(close_db::META), has_opened, "{report}");
    }
}

// --- inside a body ---

mod printing {
    use super::*;

    #[service(after = [schema], restart = "on_failure")]
    async fn printer(db: Dep<db>, stop: Stop) {
        let letters = std::mem::take(&mut *db.rows.lock().unwrap());
        print(&letters).await;
        stop.requested().await;
    }

    /// A real one waits. A fake that is ready at once has no await to fail at, so it yields.
    async fn print(_letters: &[String]) {
        tokio::task::yield_now().await;
    }

    #[lifecycle_runtime::test]
    async fn a_jam_loses_the_letters() {
        let jam = Fault::fail("paper jam").at_await(1).on_run(1);
        let app = faked().inject::<printer>(jam).start().await;
        app.until(Moment::ready::<printer>().times(2)).await;
        assert!(
            app.get::<db>().rows.lock().unwrap().is_empty(),
            "to be taken away once they are printed"
        );
        app.stop().await.assert_clean();
    }
}

// --- signals ---

#[lifecycle_runtime::test]
async fn sigterm_while_the_schema_is_made_undoes_the_start() {
    let report = faked().signal_at(Moment::begins::<schema>(), Signal::SIGTERM).run().await;
    report.assert_clean().assert_ran_once::<close_db>();
}

#[lifecycle_runtime::test(setup = faked)]
async fn sigterm_stops_it(app: TestApp) {
    app.signal(Signal::SIGTERM);
    app.until(Moment::state(State::Draining)).await;
    app.end().await.assert_clean();
}

// --- time ---

#[lifecycle_runtime::test]
async fn a_slow_database_is_waited_for() {
    let report = faked().delay::<db>(Duration::from_secs(9)).run().await;
    report.assert_clean();
    assert_eq!(report.start_took, Duration::from_secs(9));
}

#[lifecycle_runtime::test]
async fn a_connection_is_made_while_time_stands_still() {
    let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let connecting = real_io(tokio::net::TcpStream::connect(server.local_addr().unwrap()));
    let connected = tokio::time::timeout(Duration::from_millis(1), connecting).await;
    assert!(connected.is_ok());
}

// --- every order ---

#[test]
fn the_drafts_are_saved_in_any_order_of_the_rest() {
    Explore::new().setup(faked).run(async |app: TestApp| {
        let db = app.get::<db>();
        app.stop().await.assert_clean();
        assert_eq!(db.rows.lock().unwrap().last().unwrap(), "closed");
    });
}

// --- every step ---

#[test]
fn nothing_is_left_open_whatever_goes_wrong_and_whenever() {
    Explore::new()
        .setup(faked)
        .signals([Signal::SIGTERM])
        .faults()
        .check(|report| {
            let has_opened = report.outcome(db::META) == Some(&Outcome::Succeeded);
            assert_eq!(report.ran(close_db::META), has_opened);
        })
        .run(async |_| {});
}

// --- the plan in review ---

#[test]
fn the_plan_is_the_one_that_was_reviewed() {
    let plan = service().plan().unwrap();
    insta::assert_snapshot!(plan.render(PlanFormat::Snapshot));
}

// --- not in the guide ---

/// Checks that each block of Rust in the guide stands above, or in a file beside.
#[test]
fn the_guide_says_what_is_tested_here() {
    let guide = include_str!("../../lifecycle-runtime/docs/testing.md");
    let code = [
        include_str!("guide.rs"),
        include_str!("guide_order.rs"),
        include_str!("../crates/letters/src/lib.rs"),
        include_str!("../crates/letters/src/main.rs"),
        include_str!("../crates/letters/tests/service.rs"),
        include_str!("../crates/letters/tests/linked.rs"),
        include_str!("../crates/letters/tests/process.rs"),
    ];
    let blocks = guide
        .split("```rust,ignore\n")
        .skip(1)
        .map(|rest| rest.split("```").next().expect("a block"));
    let missing: Vec<_> =
        blocks.filter(|block| !code.iter().any(|code| code.contains(block.trim()))).collect();
    assert!(missing.is_empty() && guide.contains("```rust,ignore"), "{}", missing.join("\n---\n"));
    let snapshot = include_str!("snapshots/guide__the_plan_is_the_one_that_was_reviewed.snap");
    assert!(
        guide.contains(snapshot.rsplit("---\n").next().expect("a plan").trim()),
        "the plan is another one"
    );
}
