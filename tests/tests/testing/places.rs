//! Where a test that fails is said to fail: at its own line, not in ours.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use lifecycle_runtime::testing::{Moment, TestApp, TestReport};
use lifecycle_runtime::{Dep, Stop};

use crate::hooks::{announce, close_db, db, flush, migrations, outbox, service, settings};

thread_local! {
    /// The file of the last panic of this thread.
    static PLACE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Where this panics.
fn file_of_panic(fails: impl FnOnce()) -> String {
    static LISTENS: Once = Once::new();
    LISTENS.call_once(|| {
        let default = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            PLACE.set(panic.location().map(|place| place.file().to_owned()).unwrap_or_default());
            default(panic);
        }));
    });
    catch_unwind(AssertUnwindSafe(fails)).expect_err("it panics");
    PLACE.take()
}

#[track_caller]
fn check(what: &str, fails: impl FnOnce()) {
    assert_eq!(file_of_panic(fails), file!(), "{what}");
}

#[lifecycle_runtime::test]
async fn what_is_asked_of_an_app_fails_at_its_line() {
    let app = TestApp::of(service()).only::<settings>().start().await;
    check("get", || drop(app.get::<db>()));
    check("url", || drop(app.url()));
    check("signal", || app.signal(lifecycle_runtime::testing::Signal::SIGUSR2));
}

#[lifecycle_runtime::test]
async fn mistakes_of_a_builder_are_at_the_line_that_starts_it() {
    let wrong = || TestApp::builder().without::<settings>();
    check("run", || drop(wrong().run()));
    check("start", || drop(wrong().start()));
    check("try_start", || drop(wrong().try_start()));
}

#[lifecycle_runtime::test]
async fn assertions_fail_at_their_lines() {
    let report: TestReport =
        TestApp::builder().only::<close_db>().fail::<close_db>("no").run().await;
    check("assert_clean", || drop(report.assert_clean().to_string()));
    check("assert_before", || drop(report.assert_before::<close_db, db>().to_string()));
    check("assert_before, not run", || drop(report.assert_before::<migrations, db>().to_string()));
    check("assert_stopped_before", || {
        drop(report.assert_stopped_before::<db, settings>().to_string());
    });
    check("assert_ran_once", || drop(report.assert_ran_once::<flush>().to_string()));
    check("assert_not_run", || drop(report.assert_not_run::<db>().to_string()));
    check("assert_overlapped", || drop(report.assert_overlapped::<db, outbox>().to_string()));
    check("assert_failed", || drop(report.assert_failed::<announce>("no").to_string()));
}

/// The function of such a test is called as any other.
mod attributes {
    use super::{Dep, Moment, Stop, TestApp, db, settings};

    pub(super) fn without_db() -> lifecycle_runtime::testing::TestAppBuilder {
        TestApp::builder().only::<settings>()
    }

    #[lifecycle_runtime::test(setup = without_db)]
    #[ignore = "it fails"]
    pub(super) async fn takes_what_is_not_there(_stop: Stop, _db: Dep<db>) {}

    pub(super) fn wrong() -> lifecycle_runtime::testing::TestAppBuilder {
        TestApp::builder().without::<settings>()
    }

    #[lifecycle_runtime::test(setup = wrong)]
    #[ignore = "it fails"]
    pub(super) async fn has_a_wrong_setup() {}

    #[lifecycle_runtime::test]
    #[ignore = "it fails"]
    pub(super) async fn forgets_an_app() {
        TestApp::builder().hang::<crate::hooks::close_db>().start().await;
    }

    #[lifecycle_runtime::test]
    #[ignore = "it fails"]
    pub(super) async fn does_not_start() {
        TestApp::builder().fail::<crate::hooks::migrations>("no").start().await;
    }

    #[lifecycle_runtime::test]
    #[ignore = "it fails"]
    pub(super) async fn waits_for_what_never_comes() {
        let app = TestApp::start().await;
        app.stop().await;
        app.until(Moment::begins::<crate::hooks::reload>()).await;
    }

    #[lifecycle_runtime::test]
    #[ignore = "it fails"]
    pub(super) async fn asks_nobody() {
        let app = TestApp::start().await;
        app.request(actix_web::test::TestRequest::get()).await;
    }

    #[lifecycle_runtime::test]
    #[ignore = "it fails"]
    pub(super) async fn has_a_fault_that_never_comes_up() {
        let app = TestApp::builder().fail::<crate::hooks::reload>("no").start().await;
        app.stop().await;
    }

    #[lifecycle_runtime::test]
    #[ignore = "it fails"]
    pub(super) async fn ends_without_its_fault() {
        let app = TestApp::builder().fail::<crate::hooks::reload>("no").start().await;
        app.stop_handle().stop();
        app.end().await;
    }

    #[lifecycle_runtime::test]
    #[ignore = "it fails"]
    pub(super) async fn runs_without_its_fault() {
        TestApp::builder().fail::<crate::hooks::reload>("no").run().await;
    }

    #[lifecycle_runtime::test]
    #[ignore = "it fails"]
    pub(super) async fn does_not_start_and_misses_its_fault() {
        let app = TestApp::builder()
            .fail::<crate::hooks::migrations>("no")
            .fail::<crate::hooks::reload>("no");
        let _ = app.try_start().await;
    }

    #[lifecycle_runtime::test]
    #[ignore = "it fails"]
    pub(super) async fn listens_on_paused_time() {
        let _ = TestApp::of(crate::hooks::service()).listen().try_start().await;
    }

    #[lifecycle_runtime::test]
    #[ignore = "it fails"]
    pub(super) async fn returns_an_error() -> Result<(), String> {
        Err("no".to_owned())
    }
}

#[test]
fn a_test_fails_at_its_line() {
    check("an argument", attributes::takes_what_is_not_there);
    check("a setup", attributes::has_a_wrong_setup);
    check("an app", attributes::forgets_an_app);
    check("a result", attributes::returns_an_error);
    check("start", attributes::does_not_start);
    check("until", attributes::waits_for_what_never_comes);
    check("request", attributes::asks_nobody);
    check("stop", attributes::has_a_fault_that_never_comes_up);
    check("end", attributes::ends_without_its_fault);
    check("run", attributes::runs_without_its_fault);
    check("try_start", attributes::does_not_start_and_misses_its_fault);
    check("listen", attributes::listens_on_paused_time);
}
