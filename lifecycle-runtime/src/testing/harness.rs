//! What stands around a test: its runtime, and the apps that it leaves running.

use std::cell::RefCell;
use std::process::{ExitCode, Termination};

use tokio::runtime::{Builder, Runtime};

use super::app::TestApp;
use super::builder::TestAppBuilder;

thread_local! {
    /// The apps of the test that runs on this thread, if somebody looks after them.
    static ENTRUSTED: RefCell<Option<Vec<TestApp>>> = const { RefCell::new(None) };
}

/// Has the app looked after, if there is somebody who does.
pub(super) fn entrust(app: &TestApp) {
    ENTRUSTED.with_borrow_mut(|apps| apps.iter_mut().for_each(|apps| apps.push(app.clone())));
}

/// Runs the test of a `#[lifecycle_runtime::test]`.
#[doc(hidden)]
#[track_caller]
pub fn run<T: Termination, F: Future<Output = T>>(start_paused: bool, test: impl FnOnce() -> F) {
    let bench = Bench::new(start_paused);
    let result = bench.runtime().block_on(async { test().await });
    bench.judge(result);
}

/// Runs the test of a `#[lifecycle_runtime::test]` that has an app, which has started when the test begins.
#[doc(hidden)]
#[track_caller]
pub fn run_with_app<T: Termination, F: Future<Output = T>>(
    start_paused: bool,
    setup: fn() -> TestAppBuilder,
    test: impl FnOnce(&TestApp) -> F,
) {
    let bench = Bench::new(start_paused);
    let context = bench.runtime().enter();
    let starting = setup().try_start();
    drop(context);
    let app = match bench.runtime().block_on(starting) {
        Ok(app) => app,
        Err(report) => report.fail("the start failed"),
    };
    let result = bench.runtime().block_on(async { test(&app).await });
    bench.judge(result);
}

/// A runtime for one test, and somebody who looks after the apps of this thread until it is dropped: also by a panic, with
/// which they just go.
struct Bench {
    /// There until the drop.
    runtime: Option<Runtime>,
}

impl Bench {
    fn new(start_paused: bool) -> Self {
        let runtime = Builder::new_current_thread().enable_all().start_paused(start_paused).build();
        let runtime = runtime.unwrap_or_else(|error| panic!("no async runtime for the test: {error}"));
        ENTRUSTED.set(Some(Vec::new()));
        Self { runtime: Some(runtime) }
    }

    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("it is there until the drop")
    }

    /// Fails the test if it says so itself; and stops the apps that it has left running, each of which has to stop cleanly.
    ///
    /// Nothing here is a closure or a future, as their panics would not stand at the line of the test.
    #[track_caller]
    fn judge(&self, result: impl Termination) {
        // It says itself what the error is.
        let is_success = result.report() == ExitCode::SUCCESS;
        assert!(is_success, "the test returned a failure");
        let apps = ENTRUSTED.with_borrow(|apps| apps.clone().unwrap_or_default());
        for app in apps.iter().filter(|app| !app.has_ended()) {
            let report = self.runtime().block_on(app.stop());
            report.assert_clean();
        }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        drop(ENTRUSTED.take());
        // A hook that blocks its thread for good, which the report has told of, does not keep the test from ending.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
