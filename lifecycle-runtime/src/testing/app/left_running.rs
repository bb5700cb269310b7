//! Apps that a test leaves running: whoever runs the test stops them behind it.

use std::cell::RefCell;

use super::TestApp;

thread_local! {
    /// The apps of the test on this thread, if its runner stops them.
    static APPS: RefCell<Option<Vec<TestApp>>> = const { RefCell::new(None) };
}

/// Adds an app to those of the test, if its runner stops them.
pub(super) fn add(app: &TestApp) {
    APPS.with_borrow_mut(|apps| apps.iter_mut().for_each(|apps| apps.push(app.clone())));
}

/// Collects the apps of this thread until it is dropped, even by a panic, with which they just go.
pub(in crate::testing) struct AppsOfTest(());

impl AppsOfTest {
    pub(in crate::testing) fn collect() -> Self {
        APPS.set(Some(Vec::new()));
        Self(())
    }

    /// Returns the apps that still run.
    pub(in crate::testing) fn running(&self) -> Vec<TestApp> {
        let Self(()) = self;
        let mut apps = APPS.with_borrow(|apps| apps.clone().unwrap_or_default());
        apps.retain(|app| !app.has_ended());
        apps
    }
}

impl Drop for AppsOfTest {
    fn drop(&mut self) {
        drop(APPS.take());
    }
}
