//! What stands around a test: its runtime, and the apps that it leaves running.

use std::cell::RefCell;

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

/// Runs a test, and stops the apps that it has left running; each has to stop cleanly.
pub(super) async fn looked_after<T>(test: impl Future<Output = T>) -> T {
    let care = Care::begin();
    let result = test.await;
    for app in care.apps() {
        if !app.has_ended() {
            app.stop().await.assert_clean();
        }
    }
    result
}

/// Somebody looks after the apps of this thread, until this is dropped: also by a panic, with which they just go.
struct Care;

impl Care {
    fn begin() -> Self {
        ENTRUSTED.set(Some(Vec::new()));
        Self
    }

    fn apps(&self) -> Vec<TestApp> {
        let Self = self;
        ENTRUSTED.with_borrow(|apps| apps.clone().unwrap_or_default())
    }
}

impl Drop for Care {
    fn drop(&mut self) {
        drop(ENTRUSTED.take());
    }
}

/// Runs the test of a `#[lifecycle_runtime::test]`.
#[doc(hidden)]
pub fn run<T>(
    start_paused: bool,
    setup: Option<fn() -> TestAppBuilder>,
    test: impl AsyncFnOnce(Option<TestApp>) -> T,
) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(start_paused).build();
    let runtime = runtime.unwrap_or_else(|error| panic!("no async runtime for the test: {error}"));
    runtime.block_on(looked_after(async {
        let app = match setup {
            Some(setup) => Some(setup().start().await),
            None => None,
        };
        test(app).await
    }))
}
