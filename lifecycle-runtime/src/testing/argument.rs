//! Arguments of tests, taken from a running app.

use super::app::TestApp;
use crate::hook::inject::Inject;

/// Argument of a test under `#[lifecycle_runtime::test]`: the [`TestApp`] itself, or anything that
/// a hook can take.
///
/// ```standalone_crate
/// use lifecycle_runtime::testing::{FromTestApp, TestApp};
/// use lifecycle_runtime::{Dep, on_startup};
///
/// #[on_startup]
/// async fn db() -> u32 { 7 }
///
/// fn take<T: FromTestApp>(app: &TestApp) -> T { T::from_test_app(app) }
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// # let app = TestApp::start().await;
/// assert_eq!(*take::<Dep<db>>(&app), 7);
/// # app.stop().await;
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be injected into a test",
    label = "not injectable",
    note = "a test takes `TestApp`, and what hooks take: `Dep<hook>`, `Stop`, `StopHandle`, and \
            types that implement `lifecycle_runtime::Inject`"
)]
pub trait FromTestApp {
    /// Takes the argument out of the app.
    ///
    /// # Panics
    ///
    /// If the app doesn't have this argument.
    fn from_test_app(app: &TestApp) -> Self;
}

impl FromTestApp for TestApp {
    fn from_test_app(app: &TestApp) -> Self {
        app.clone()
    }
}

#[diagnostic::do_not_recommend]
impl<T: Inject> FromTestApp for T {
    #[track_caller]
    fn from_test_app(app: &TestApp) -> Self {
        app.inject()
    }
}
