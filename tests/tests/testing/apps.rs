//! Apps that answer requests, and apps that are forgotten.

use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use actix_web::test::{TestRequest, read_body, read_body_json};
use actix_web::{App, web};
use lifecycle_runtime::event::{Event, Observer, Outcome, State};
use lifecycle_runtime::hook::Hook as _;
use lifecycle_runtime::testing::{Fault, Moment, TestApp};
use lifecycle_runtime::{Dep, Lifecycle, Stop};
use lifecycle_tests::http;

use crate::hooks::{Db, close_db, db, outbox, ping, service};

#[tokio::test(start_paused = true)]
async fn an_app_answers_in_memory() {
    let fake = Db { url: "memory".to_owned(), ..Db::default() };
    let app = TestApp::of(service()).replace::<db>(fake).start().await;
    let response = app.request(TestRequest::get().uri("/url")).await;
    assert_eq!(read_body(response).await, "memory");
    assert_eq!(app.request(TestRequest::get().uri("/fails")).await.status(), 418);
    assert_eq!(app.request(TestRequest::get().uri("/nowhere")).await.status(), 404);
    app.stop().await.assert_clean();
}

/// Returns a lifecycle that names a hook only in the arguments of its app.
fn built_of_hooks() -> Lifecycle {
    let app = |db: Dep<db>, _: Stop| {
        App::new().route(
            "/",
            web::get().to({
                let url = db.url.clone();
                move || std::future::ready(url.clone())
            }),
        )
    };
    Lifecycle::of([]).http(app)
}

#[tokio::test(start_paused = true)]
async fn an_app_is_built_of_what_the_hooks_have_made() {
    let app = TestApp::of(built_of_hooks()).start().await;
    let response = app.request(TestRequest::get().uri("/")).await;
    assert_eq!(read_body(response).await, "postgres://real");
    app.stop().await.assert_clean().assert_ran_once::<db>();
}

#[tokio::test]
async fn an_app_that_listens_is_built_of_what_the_hooks_have_made_for_each_worker() {
    let fake = Db { url: "memory".to_owned(), ..Db::default() };
    let app = TestApp::of(built_of_hooks()).replace::<db>(fake).listen().start().await;
    let address = app.url().strip_prefix("http://").expect("plain HTTP").to_owned();
    for _ in 0..4 {
        let address = address.clone();
        let answer = tokio::task::spawn_blocking(move || http::request(&address, "GET /"))
            .await
            .expect("no panic");
        assert_eq!(answer.expect("an answer").body, "memory");
    }
    app.stop().await.assert_clean();
}

#[tokio::test]
async fn a_start_fails_that_has_nothing_to_build_the_app_of() {
    let started = TestApp::of(built_of_hooks()).without::<db>().listen().try_start().await;
    let report = started.expect_err("there is no database");
    assert_eq!(report.exit_code(), 1);
    let said = report.to_string();
    assert!(
        said.contains("hook `db` (tests/tests/testing/hooks.rs:")
            && said.contains("is not part of this run"),
        "{said}"
    );
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "can't build the app: hook `db`")]
async fn an_app_that_lacks_what_it_is_built_of_says_so_when_it_is_asked() {
    let app = TestApp::of(built_of_hooks()).without::<db>().start().await;
    let _ = app.request(TestRequest::get().uri("/")).await;
}

#[tokio::test(start_paused = true)]
async fn probes_tell_of_the_app() {
    let on_run = |n| Fault::fail("no route").on_run(n);
    let app =
        TestApp::of(service()).inject::<ping>(on_run(2)).inject::<ping>(on_run(3)).start().await;
    assert_eq!(app.request(TestRequest::get().uri("/readyz")).await.status(), 200);
    app.until(Moment::ends::<ping>().times(3)).await;
    let response = app.request(TestRequest::get().uri("/readyz")).await;
    assert_eq!(response.status(), 503);
    let body: serde_json::Value = read_body_json(response).await;
    assert_eq!(body["checks"][0]["last_error"], "failed: no route");
    app.stop().await;
    assert_eq!(app.request(TestRequest::get().uri("/livez")).await.status(), 200);
    assert_eq!(app.request(TestRequest::get().uri("/readyz")).await.status(), 503);
}

#[tokio::test(start_paused = true)]
async fn an_app_whose_readiness_check_has_never_passed_has_started_and_is_not_ready() {
    let app = TestApp::builder().inject::<ping>(Fault::fail("no route").on_run(1)).start().await;
    assert_eq!(app.readiness().unwrap_err(), "health check `ping` failed: no route");
    app.until(Moment::ends::<ping>().times(2)).await;
    assert_eq!(app.readiness(), Ok(()));
    app.stop().await.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn an_app_without_a_server_says_whether_it_is_ready() {
    let app = TestApp::builder().fail::<outbox>("no queue").start().await;
    app.until(Moment::ready::<outbox>().times(3)).await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    let reason = app.readiness().unwrap_err();
    assert!(reason.contains("service `outbox` is backing off: it failed: no queue"), "{reason}");
    app.end().await;
    assert_eq!(app.readiness().unwrap_err(), "the process is stopping");

    let on_run = |n| Fault::fail("no route").on_run(n);
    let app = TestApp::builder().inject::<ping>(on_run(2)).inject::<ping>(on_run(3)).start().await;
    let mut readiness = Vec::new();
    for n in 2..=4 {
        app.until(Moment::ends::<ping>().times(n)).await;
        readiness.push(app.readiness());
    }
    let failed = Err("health check `ping` failed: no route".to_owned());
    assert_eq!(readiness, [Ok(()), failed, Ok(())]);
    app.stop().await.assert_clean();
}

#[tokio::test]
async fn an_app_that_listens_answers_over_a_real_connection() {
    let app = TestApp::of(service()).listen().start().await;
    let address = app.url().strip_prefix("http://").expect("plain HTTP").to_owned();
    let answer = tokio::task::spawn_blocking(move || http::request(&address, "GET /url"))
        .await
        .expect("no panic");
    assert_eq!(answer.expect("an answer").body, "postgres://real");
    let report = app.stop().await;
    report.assert_clean();
    assert_eq!(report.traffic.requests.finished, 1);
}

#[tokio::test(start_paused = true)]
async fn the_program_is_given_the_report_of_its_run() {
    let (codes, seen) = channel();
    let mut lifecycle = Lifecycle::of([close_db::META]);
    for place in 1..=2 {
        let codes = codes.clone();
        lifecycle = lifecycle.on_report(move |report| {
            codes
                .send((place, report.exit_code(), report.outcome(close_db::META).cloned()))
                .expect("somebody listens");
            panic!("it changes nothing");
        });
    }
    let report = TestApp::of(lifecycle).fail::<close_db>("no").run().await;
    report.assert_exit_code(3);
    let outcome = Some(Outcome::Failed { error: "no".to_owned() });
    assert_eq!(seen.try_iter().collect::<Vec<_>>(), [(1, 3, outcome.clone()), (2, 3, outcome)]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_can_be_asked_for_twice_and_at_the_same_time() {
    let app = TestApp::start().await;
    let (first, second) = tokio::join!(app.stop(), app.stop());
    assert_eq!(first.to_string(), second.to_string());
    assert_eq!(app.stop().await.to_string(), first.to_string());
    assert_eq!(app.state(), State::Stopped);
}

struct Tells(Sender<()>);
impl Observer for Tells {
    fn on_event(&self, _: Duration, event: &Event) {
        if let Event::State(State::Stopped) = event {
            self.0.send(()).expect("somebody listens");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_is_dropped_stops_itself() {
    let (ended, has_ended) = channel();
    drop(TestApp::of(Lifecycle::new().observer(Tells(ended))).start().await);
    has_ended.try_recv().expect("it has stopped");
}

#[tokio::test(flavor = "multi_thread")]
#[should_panic(expected = "the run was not clean")]
async fn an_app_that_is_dropped_fails_the_test_if_its_stop_is_not_clean() {
    drop(TestApp::builder().fail::<close_db>("no").start().await);
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "end the test with `app.stop().await`")]
async fn an_app_that_is_dropped_where_nothing_can_wait_says_what_to_do() {
    drop(TestApp::start().await);
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "the test's own")]
async fn a_test_that_panics_panics_once() {
    let _app = TestApp::start().await;
    panic!("the test's own");
}

#[tokio::test(start_paused = true)]
async fn a_clone_is_the_same_app() {
    let app = TestApp::builder().inject::<outbox>(Fault::hang()).start().await;
    drop(app.clone());
    assert_eq!(app.clone().state(), State::Ready);
    app.stop().await.assert_failed::<outbox>("ran into its timeout");
}
