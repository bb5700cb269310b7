//! Runner of a test: its async runtime, and the end of the apps that it leaves running.

use std::process::{ExitCode, Termination};

use tokio::runtime::{Builder, Runtime};

use super::app::TestApp;
use super::app::builder::TestAppBuilder;
use super::app::left_running::AppsOfTest;
use crate::process::registry::modules::CurrentModule;

/// Runs a test on the caller's runtime, and stops the apps that it has left running.
///
/// # Errors
///
/// One of these apps has not stopped cleanly.
pub(super) async fn with_apps_stopped(test: impl Future<Output = ()>) -> Result<(), String> {
    let apps = AppsOfTest::collect();
    test.await;
    for app in apps.running() {
        app.stopped().await?.clean()?;
    }
    Ok(())
}

/// Runs the test of a `#[lifecycle_runtime::test]`.
#[doc(hidden)]
#[track_caller]
pub fn run<T: Termination, F: Future<Output = T>>(
    start_paused: bool,
    module: &'static str,
    test: impl FnOnce() -> F,
) {
    let runner = TestRunner::new(start_paused, module);
    let result = runner.runtime().block_on(async { test().await });
    runner.judge(result);
}

/// Runs the test of a `#[lifecycle_runtime::test]` with an app that has started when the test
/// begins.
///
/// rustc finds wrong types in a test only when it builds tests. An argument that no app has:
///
/// ```compile_fail,E0277,test_harness
/// #[lifecycle_runtime::test]
/// async fn it_starts(name: String) {}
/// ```
///
/// A wrong return type:
///
/// ```compile_fail,E0277,test_harness
/// #[lifecycle_runtime::test]
/// async fn it_starts() -> u32 { 1 }
/// ```
///
/// A setup that doesn't return a builder, and one that does not exist:
///
/// ```compile_fail,E0308,test_harness
/// fn faked() -> u32 { 1 }
///
/// #[lifecycle_runtime::test(setup = faked)]
/// async fn it_starts() {}
/// ```
///
/// ```compile_fail,E0425,test_harness
/// #[lifecycle_runtime::test(setup = faked)]
/// async fn it_starts() {}
/// ```
#[doc(hidden)]
#[track_caller]
pub fn run_with_app<T: Termination, F: Future<Output = T>>(
    start_paused: bool,
    module: &'static str,
    setup: fn() -> TestAppBuilder,
    test: impl FnOnce(&TestApp) -> F,
) {
    let runner = TestRunner::new(start_paused, module);
    let context = runner.runtime().enter();
    let starting = setup().starting();
    drop(context);
    let app = match runner.runtime().block_on(starting) {
        Ok(Ok(app)) => app,
        Ok(Err(report)) => report.fail("the start failed"),
        Err(mistake) => panic!("{mistake}"),
    };
    let result = runner.runtime().block_on(async { test(&app).await });
    runner.judge(result);
}

/// Async runtime of one test, with the list of the apps that it has started.
struct TestRunner {
    /// Runtime of the test. Both fields are `Some` until the drop.
    runtime: Option<Runtime>,
    apps: Option<AppsOfTest>,
    _module: CurrentModule,
}

impl TestRunner {
    fn new(start_paused: bool, module: &'static str) -> Self {
        let runtime = Builder::new_current_thread().enable_all().start_paused(start_paused).build();
        let runtime =
            runtime.unwrap_or_else(|error| panic!("no async runtime for the test: {error}"));
        let module = CurrentModule::enter(module);
        Self { runtime: Some(runtime), apps: Some(AppsOfTest::collect()), _module: module }
    }

    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("it is there until the drop")
    }

    /// Fails the test if its result is a failure; stops the apps that it has left running, each of
    /// which has to stop cleanly.
    ///
    /// This function uses no closure and no future, as a panic in one would not show the line of
    /// the test.
    #[track_caller]
    fn judge(&self, result: impl Termination) {
        // `report` itself writes the error to stderr.
        let is_success = result.report() == ExitCode::SUCCESS;
        assert!(is_success, "the test returned a failure");
        for app in self.apps.iter().flat_map(AppsOfTest::running) {
            match self.runtime().block_on(app.stopped()) {
                Ok(report) => _ = report.assert_clean(),
                Err(mistake) => panic!("{mistake}"),
            }
        }
    }
}

impl Drop for TestRunner {
    fn drop(&mut self) {
        drop(self.apps.take());
        // The report has named any hook that blocks its thread for good. Such a hook does not keep
        // the test from ending.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
