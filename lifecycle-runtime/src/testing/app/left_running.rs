//! Apps that a test leaves running, so that its runner can stop them.

use std::cell::RefCell;

use super::TestApp;

thread_local! {
    /// Apps of the test on this thread, if its runner stops them.
    static APPS: RefCell<Option<Vec<TestApp>>> = const { RefCell::new(None) };
}

/// Adds an app to the apps of the test, if its runner stops them.
pub(super) fn add(app: &TestApp) {
    APPS.with_borrow_mut(|apps| apps.iter_mut().for_each(|apps| apps.push(app.clone())));
}

/// Guard that collects the apps of this thread until it is dropped. If a panic drops it, the apps
/// are just dropped.
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
