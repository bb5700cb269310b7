//! Tests under `#[lifecycle_runtime::test]`.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use actix_web::test::TestRequest;
use lifecycle_runtime::event::State;
use lifecycle_runtime::hook::{Dependency, Hook, Scope};
use lifecycle_runtime::testing::{FromTestApp, TestApp, TestAppBuilder};
use lifecycle_runtime::{BoxError, Dep, Inject, Stop, StopHandle};

use crate::hooks::{Db, close_db, db, import, migrations, outbox, ping, service, settings};

#[lifecycle_runtime::test]
async fn a_test_gets_the_values_of_hooks(db: Dep<db>, import: Dep<import>) {
    assert_eq!(db.url, "postgres://real");
    assert_eq!(db.rows.load(Ordering::Relaxed), 11);
    assert!(*import <= 1, "what it found");
}

#[lifecycle_runtime::test]
async fn a_test_gets_its_app(app: TestApp, db: Dep<db>) {
    assert_eq!(app.state(), State::Ready);
    db.rows.store(77, Ordering::Relaxed);
    assert_eq!(app.get::<db>().rows.load(Ordering::Relaxed), 77, "the same value");
}

/// Argument that many tests take.
struct Backend {
    db: Dep<db>,
    settings: Dep<settings>,
}

impl Inject for Backend {
    const DEPENDENCIES: &'static [Dependency] = &[db::DEPENDENCY, settings::DEPENDENCY];

    fn inject(scope: &Scope) -> Result<Self, BoxError> {
        Ok(Self { db: scope.dep()?, settings: scope.dep()? })
    }
}

#[lifecycle_runtime::test]
async fn a_test_gets_types_of_its_own(Backend { db, settings }: Backend) {
    assert_eq!(db.url, *settings);
}

/// Argument that only tests take.
struct Client(TestApp);

impl FromTestApp for Client {
    fn from_test_app(app: &TestApp) -> Self {
        Self(app.clone())
    }
}

fn served() -> TestAppBuilder {
    TestApp::of(service())
}

#[lifecycle_runtime::test(setup = served)]
async fn a_test_gets_what_it_makes_of_the_app(Client(app): Client) {
    assert_eq!(app.request(TestRequest::get().uri("/url")).await.status(), 200);
}

#[lifecycle_runtime::test]
async fn a_test_hears_the_stop(app: TestApp, stop: Stop, handle: StopHandle) {
    handle.stop();
    stop.requested().await;
    app.end().await.assert_clean();
}

#[lifecycle_runtime::test]
async fn time_is_paused(db: Dep<db>) {
    let began = std::time::Instant::now();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(began.elapsed() < Duration::from_secs(30));
    drop(db);
}

#[lifecycle_runtime::test]
async fn time_is_paused_without_an_app() {
    let (began, paused) = (std::time::Instant::now(), tokio::time::Instant::now());
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(began.elapsed() < Duration::from_secs(30));
    assert_eq!(paused.elapsed(), Duration::from_secs(60));
}

#[lifecycle_runtime::test(start_paused = false)]
async fn time_can_be_real() {
    let began = std::time::Instant::now();
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(began.elapsed() >= Duration::from_millis(20));
}

fn faked() -> TestAppBuilder {
    TestApp::builder().replace::<db>(Db { url: "memory".to_owned(), ..Db::default() })
}

#[lifecycle_runtime::test(setup = faked)]
async fn the_setup_says_what_runs(db: Dep<db>) {
    assert_eq!(db.url, "memory");
}

mod setups {
    use super::{TestApp, TestAppBuilder, service};

    pub fn listening() -> TestAppBuilder {
        TestApp::of(service()).listen()
    }
}

#[lifecycle_runtime::test(setup = setups::listening, start_paused = false)]
async fn the_setup_is_a_path(app: TestApp) -> Result<(), BoxError> {
    let address = app.url().strip_prefix("http://").ok_or("plain HTTP")?.to_owned();
    let answer =
        tokio::task::spawn_blocking(move || lifecycle_tests::http::request(&address, "GET /url"))
            .await?;
    assert_eq!(answer.expect("an answer").body, "postgres://real");
    Ok(())
}

static STARTED: AtomicU32 = AtomicU32::new(0);

fn counted() -> TestAppBuilder {
    STARTED.fetch_add(1, Ordering::Relaxed);
    TestApp::builder()
}

#[lifecycle_runtime::test(setup = counted)]
async fn a_setup_is_used_also_if_nothing_is_taken_from_its_app() {
    assert_eq!(STARTED.load(Ordering::Relaxed), 1);
}

#[lifecycle_runtime::test]
async fn a_test_may_return_an_ok() -> Result<(), BoxError> {
    Ok(())
}

#[lifecycle_runtime::test]
#[should_panic(expected = "the test returned a failure")]
async fn a_test_that_returns_an_error_fails(db: Dep<db>) -> Result<(), BoxError> {
    Err(db.url.clone().into())
}

fn unclean() -> TestAppBuilder {
    TestApp::builder().fail::<close_db>("it is stuck")
}

#[lifecycle_runtime::test(setup = unclean)]
#[should_panic(expected = "the test returned a failure")]
async fn its_own_error_comes_before_that_of_its_app(_app: TestApp) -> Result<(), BoxError> {
    Err("the test's own".into())
}

#[should_panic(expected = "the test's own")]
#[lifecycle_runtime::test(setup = unclean)]
async fn its_own_panic_comes_before_that_of_its_app(_app: TestApp) {
    panic!("the test's own");
}

#[lifecycle_runtime::test(setup = unclean)]
#[should_panic(expected = "close_db failed: it is stuck")]
async fn an_app_that_is_forgotten_has_to_stop_cleanly(_db: Dep<db>) {}

#[lifecycle_runtime::test]
#[should_panic(expected = "close_db failed: it is stuck")]
async fn so_has_one_that_the_test_started_itself() {
    drop(unclean().start().await);
}

#[lifecycle_runtime::test]
#[should_panic(expected = "the fault never came up: run 3 of `outbox` never came")]
async fn so_has_one_with_a_fault_that_never_came_up() {
    let fault = lifecycle_runtime::testing::Fault::panic().on_run(3);
    TestApp::builder().inject::<outbox>(fault).start().await;
}

#[lifecycle_runtime::test(setup = unclean)]
async fn an_app_that_the_test_stops_is_judged_by_the_test(app: TestApp) {
    app.stop().await.assert_failed::<close_db>("it is stuck").assert_exit_code(3);
}

fn broken() -> TestAppBuilder {
    TestApp::builder().fail::<migrations>("no table")
}

#[lifecycle_runtime::test(setup = broken)]
#[should_panic(expected = "the start failed; what happened:")]
async fn a_start_that_fails_is_a_test_that_fails(_app: TestApp) {
    unreachable!("the test does not begin");
}

#[lifecycle_runtime::test]
async fn a_start_that_failed_is_judged_by_the_test() {
    let report = broken().try_start().await.expect_err("it can't start");
    report.assert_failed::<migrations>("no table").assert_exit_code(1);
}

#[lifecycle_runtime::test(setup = without_db)]
#[should_panic(expected = "is not part of this run")]
async fn a_value_that_the_app_does_not_have(_db: Dep<db>) {}

fn without_db() -> TestAppBuilder {
    TestApp::builder().only::<settings>()
}

#[lifecycle_runtime::test]
async fn forgotten_apps_have_stopped_when_the_test_is_over() {
    for url in ["first", "second"] {
        let app = TestApp::builder()
            .replace::<db>(Db { url: url.to_owned(), ..Db::default() })
            .start()
            .await;
        assert_eq!(app.get::<db>().url, url);
    }
}

macro_rules! side_by_side {
    ($($name:ident $url:expr,)*) => {
        $(
            /// Runs with a database of its own, in a macro whose places are not those of the test.
            #[lifecycle_runtime::test(setup = faked)]
            async fn $name(app: TestApp, db: Dep<db>) {
                db.rows.store($url, Ordering::Relaxed);
                app.until(lifecycle_runtime::testing::Moment::ends::<ping>().times(3)).await;
                assert_eq!(db.rows.load(Ordering::Relaxed), $url);
            }
        )*
    };
}

side_by_side! { one_of_many 1, another_of_many 2, and_another_of_many 3, and_the_last_of_many 4, }

/// Checks that the function's name is that of the test, and inside of it that of the function.
#[lifecycle_runtime::test]
async fn a_test_keeps_its_name() {
    let thread = std::thread::current();
    assert_eq!(thread.name(), Some("attribute::a_test_keeps_its_name"));
    let _: fn() -> _ = a_test_keeps_its_name;
}

#[lifecycle_runtime::test]
#[ignore = "only to be there"]
async fn a_test_can_be_ignored() {
    unreachable!("it is ignored");
}

#[cfg(any())]
#[lifecycle_runtime::test]
async fn a_test_can_be_left_out(_nothing: NoType) {}
