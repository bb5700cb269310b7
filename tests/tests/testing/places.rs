//! Places at which a test that fails is said to fail: lines of its own, not lines of the framework.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::Once;

use lifecycle_runtime::testing::{Moment, TestApp, TestReport};
use lifecycle_runtime::{Dep, Stop};

use crate::hooks::{announce, close_db, db, flush, migrations, outbox, service, settings};

thread_local! {
    /// File and line of the last panic of this thread.
    static PLACE: RefCell<(String, u32)> = const { RefCell::new((String::new(), 0)) };
}

/// Text of this file.
const LINES: &str = include_str!("places.rs");

/// Runs a closure that has to panic, and returns the number of the line of this file at which it
/// does.
#[track_caller]
fn line_of_panic(what: &str, fails: impl FnOnce()) -> usize {
    static LISTENS: Once = Once::new();
    LISTENS.call_once(|| {
        let default = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let place = panic.location().map(|place| (place.file().to_owned(), place.line()));
            PLACE.set(place.unwrap_or_default());
            default(panic);
        }));
    });
    catch_unwind(AssertUnwindSafe(fails)).expect_err("it panics");
    let (file, line) = PLACE.take();
    assert_eq!(file, file!(), "{what}");
    line as usize
}

/// Checks that a closure panics at a line that begins with this text.
#[track_caller]
fn check(text: &str, fails: impl FnOnce()) {
    let number = line_of_panic(text, fails);
    let line = LINES.lines().nth(number - 1).expect("a line of this file").trim_start();
    assert!(line.starts_with(text), "{text}: at line {number}, {line}");
}

/// Checks that a closure panics at the line of this call.
#[track_caller]
fn check_here(what: &str, fails: impl FnOnce()) {
    let own = Location::caller().line() as usize;
    assert_eq!(line_of_panic(what, fails), own, "{what}");
}

/// Checks that a test panics at the line that has this text, in its body or its head.
#[track_caller]
fn check_test(name: &str, text: &str, fails: impl FnOnce()) {
    let number = line_of_panic(name, fails);
    let function = format!("async fn {name}(");
    let head = LINES.lines().position(|line| line.contains(&function)).expect("a function") + 1;
    let first = head - 2;
    let last = head + LINES.lines().skip(head).take_while(|line| !line.trim().is_empty()).count();
    let line = LINES.lines().nth(number - 1).expect("a line of this file");
    assert!((first..=last).contains(&number), "{name}: at line {number}, {line}");
    assert!(line.contains(text), "{name}: at line {number}, {line}");
}

#[lifecycle_runtime::test]
async fn what_is_asked_of_an_app_fails_at_its_line() {
    let app = TestApp::of(service()).only::<settings>().start().await;
    check_here("get", || drop(app.get::<db>()));
    check_here("url", || drop(app.url()));
    check_here("signal", || app.signal(lifecycle_runtime::testing::Signal::SIGUSR2));
}

#[lifecycle_runtime::test]
async fn mistakes_of_a_builder_are_at_the_line_that_starts_it() {
    let wrong = || TestApp::builder().without::<settings>();
    check_here("run", || drop(wrong().run()));
    check_here("start", || drop(wrong().start()));
    check_here("try_start", || drop(wrong().try_start()));
}

#[lifecycle_runtime::test]
async fn assertions_fail_at_their_lines() {
    let report: TestReport =
        TestApp::builder().only::<close_db>().fail::<close_db>("no").run().await;
    check_here("assert_clean", || drop(report.assert_clean().to_string()));
    check_here("assert_before", || drop(report.assert_before::<close_db, db>().to_string()));
    check("drop(report.assert_before::<migrations", || {
        drop(report.assert_before::<migrations, db>().to_string());
    });
    check("drop(report.assert_stopped_before", || {
        drop(report.assert_stopped_before::<db, settings>().to_string());
    });
    check_here("assert_ran_once", || drop(report.assert_ran_once::<flush>().to_string()));
    check_here("assert_not_run", || drop(report.assert_not_run::<db>().to_string()));
    check_here("assert_overlapped", || drop(report.assert_overlapped::<db, outbox>().to_string()));
    check_here("assert_failed", || drop(report.assert_failed::<announce>("no").to_string()));
}

/// Tests under the attribute, whose functions are called as any other.
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
    use attributes::*;

    check_test("takes_what_is_not_there", "_db: Dep<db>", takes_what_is_not_there);
    check_test("has_a_wrong_setup", "#[lifecycle_runtime::test(setup", has_a_wrong_setup);
    check_test("forgets_an_app", "#[lifecycle_runtime::test]", forgets_an_app);
    check_test("returns_an_error", "#[lifecycle_runtime::test]", returns_an_error);
    check_test("does_not_start", ".start().await", does_not_start);
    check_test("waits_for_what_never_comes", "app.until(", waits_for_what_never_comes);
    check_test("asks_nobody", "app.request(", asks_nobody);
    check_test("has_a_fault_that_never_comes_up", "app.stop()", has_a_fault_that_never_comes_up);
    check_test("ends_without_its_fault", "app.end()", ends_without_its_fault);
    check_test("runs_without_its_fault", ".run().await", runs_without_its_fault);
    let misses = does_not_start_and_misses_its_fault;
    check_test("does_not_start_and_misses_its_fault", "app.try_start()", misses);
    check_test("listens_on_paused_time", ".try_start()", listens_on_paused_time);
}
