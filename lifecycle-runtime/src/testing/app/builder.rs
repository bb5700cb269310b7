//! Builder of the app that runs inside a test.

mod injection;
mod start;

use std::panic::Location;

use crate::hook::Hook;
use crate::hook::output::HookValue;
use crate::hook::task::Value;
use crate::lifecycle::Lifecycle;
use crate::process::registry::modules::View;
use crate::testing::faults::HookFault;
use crate::testing::moment::TimedSignal;
use crate::testing::selection::{NamedHook, Selection, goes_with};
pub(in crate::testing) use start::StartResult;

/// Builder of a [`TestApp`], with the selection of its hooks, the values that replace some, and the
/// faults.
///
/// [`TestApp::builder`] and [`TestApp::of`] create it. A mistake is a panic at the line of the test
/// that made it.
///
/// [`TestApp`]: crate::testing::TestApp
/// [`TestApp::builder`]: crate::testing::TestApp::builder
/// [`TestApp::of`]: crate::testing::TestApp::of
///
/// ```standalone_crate
/// use lifecycle_runtime::testing::TestApp;
/// use lifecycle_runtime::{Dep, on_shutdown, on_startup};
///
/// #[on_startup]
/// async fn db() -> u32 { unreachable!("no test needs a real one") }
/// #[on_startup]
/// async fn import(db: Dep<db>) {}
/// #[on_shutdown(of = db, timeout = "5s")]
/// async fn close_db(db: Dep<db>) { assert_eq!(*db, 7); }
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// let app = TestApp::builder().replace::<db>(7).without::<import>().hang::<close_db>();
/// let report = app.run().await;
/// assert_eq!(report.exit_code(), 3);
/// # }
/// ```
#[must_use = "nothing happens until `start` or `run`"]
pub struct TestAppBuilder {
    lifecycle: Lifecycle,
    /// Set if the whole program runs, which ends when it has nothing left to do.
    is_whole_program: bool,
    selection: Selection,
    faults: Vec<HookFault>,
    signals: Vec<TimedSignal>,
    listens: bool,
}

impl TestAppBuilder {
    #[track_caller]
    pub(in crate::testing) fn new(lifecycle: Lifecycle, is_whole_program: bool) -> Self {
        Self {
            lifecycle,
            is_whole_program,
            selection: Selection::of(View::from(Location::caller())),
            faults: Vec::new(),
            signals: Vec::new(),
            listens: false,
        }
    }

    /// Adds the hooks that a test in the caller's file sees.
    pub(in crate::testing) fn seen_from(mut self, caller: &'static Location<'static>) -> Self {
        self.selection.view.add_file(caller);
        self
    }

    /// Runs this hook, what it needs, and their teardowns; of other hooks, only those named in the
    /// same way. Earlier instructions for the rest, such as to [replace](Self::replace) a hook or
    /// to have it [fail](Self::fail), are ignored, so that several tests can share a setup.
    #[track_caller]
    pub fn only<H: Hook>(mut self) -> Self {
        self.selection.only(named::<H>());
        self.is_whole_program = false;
        self
    }

    /// Also runs this hook, which may belong to the tests of [another
    /// module](crate::testing::guide#whose-hooks), or be no part of the lifecycle.
    ///
    /// ```standalone_crate
    /// use lifecycle_runtime::testing::TestApp;
    /// use lifecycle_runtime::{Dep, on_startup};
    ///
    /// mod store {
    ///     pub mod tests {
    ///         #[lifecycle_runtime::on_startup]
    ///         pub async fn rows() -> u32 { 3 }
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// let app = TestApp::builder().with::<store::tests::rows>().start().await;
    /// assert_eq!(*app.get::<store::tests::rows>(), 3);
    /// app.stop().await.assert_clean();
    /// # }
    /// ```
    #[track_caller]
    pub fn with<H: Hook>(mut self) -> Self {
        self.selection.with(named::<H>());
        self
    }

    /// Also runs all hooks that tests in this module see. Give it `module_path!()` in a test under
    /// another attribute than `#[lifecycle_runtime::test]` whose hooks stand in another file; or
    /// the path of [another module](crate::testing::guide#whose-hooks). Naming a module whose tests
    /// have no hooks of their own is a mistake.
    ///
    /// ```standalone_crate
    /// # mod store {
    /// #     pub mod tests {
    /// #         #[lifecycle_runtime::on_startup]
    /// #         pub async fn rows() -> u32 { 3 }
    /// #     }
    /// # }
    /// use lifecycle_runtime::testing::TestApp;
    ///
    /// let path = concat!(module_path!(), "::store::tests");
    /// assert_eq!(TestApp::builder().with_module(path).plan().hooks().len(), 1);
    /// ```
    #[track_caller]
    pub fn with_module(mut self, path: impl Into<String>) -> Self {
        self.selection.with_module(path.into(), Location::caller());
        self
    }

    /// Leaves this hook and its teardown out. Hooks that only run after it stay. A hook that needs
    /// it has to be left out, too, unless this hook is [replaced](Self::replace).
    ///
    /// The last instruction for a hook counts: this call discards earlier ones for the hook and its
    /// teardown, and later ones for the hook bring it back.
    ///
    /// ```standalone_crate
    /// use lifecycle_runtime::on_startup;
    /// use lifecycle_runtime::testing::{TestApp, TestAppBuilder};
    ///
    /// #[on_startup]
    /// async fn import() -> u32 { 0 }
    ///
    /// fn setup() -> TestAppBuilder { TestApp::builder().replace::<import>(7) }
    ///
    /// assert!(setup().without::<import>().plan().hooks().is_empty());
    /// assert_eq!(setup().without::<import>().replace::<import>(8).plan().hooks().len(), 1);
    /// ```
    #[track_caller]
    pub fn without<H: Hook>(mut self) -> Self {
        self.selection.without(named::<H>());
        self.faults.retain(|fault| !goes_with(fault.hook, H::META));
        let is_of_others = |hook| !goes_with(hook, H::META);
        self.signals.retain(|timed| timed.moment.hook().is_none_or(is_of_others));
        self
    }

    /// Gives this hook a value in place of running its function. What only that function needs may
    /// be left out. The hook keeps its place in the order of the plan. Its teardown runs with the
    /// value, unless it is [left out](Self::without). Of several values the last one counts.
    ///
    /// A replaced service is ready at once, and does nothing until it is told to stop.
    #[track_caller]
    pub fn replace<H: Hook<Value: HookValue>>(mut self, value: H::Value) -> Self {
        self.selection.replace(named::<H>(), Value::new(value));
        // The last instruction counts.
        self.faults.retain(|fault| fault.hook != H::META);
        self
    }

    /// Makes paused time stand still while this hook runs, as
    /// [`real_io`](crate::testing::real_io()) does. Use it for a hook that reads files or asks a
    /// database, not for one that waits for time to pass. [Replace](Self::replace) a service that
    /// does both where time matters. A plain `fn` needs this only if it is a service that does
    /// something real between its start and its stop: see [Time](crate::testing::guide#time).
    #[track_caller]
    pub fn real_io<H: Hook>(mut self) -> Self {
        self.selection.real_io(named::<H>());
        self
    }

    /// Makes paused time stand still while any hook runs that ends by itself, as
    /// [`real_io`](Self::real_io) of each of them would. Use it for an app whose hooks nearly all
    /// ask a database. Services run until the stop, so each that needs it has to be named by
    /// itself.
    ///
    /// In the test, and in handlers of its requests, use [`real_io`](crate::testing::real_io()) to
    /// wait for something real.
    ///
    /// ```standalone_crate
    /// use lifecycle_runtime::testing::TestApp;
    /// use lifecycle_runtime::{BoxError, on_startup};
    /// use std::time::Duration;
    ///
    /// # async fn connect() -> u32 { tokio::task::spawn_blocking(|| 7).await.unwrap() }
    /// #[on_startup(timeout = "1s")]
    /// async fn db() -> Result<u32, BoxError> {
    ///     Ok(tokio::time::timeout(Duration::from_millis(500), connect()).await?)
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// TestApp::builder().real_io_for_all().run().await.assert_clean();
    /// # }
    /// ```
    #[track_caller]
    pub fn real_io_for_all(mut self) -> Self {
        self.selection.real_io_for_all(Location::caller());
        self
    }

    /// Serves the app on a free port of 127.0.0.1: see
    /// [`TestApp::url`](crate::testing::TestApp::url). Without this call it answers only in memory.
    ///
    /// Connections are real, so this needs time that passes, not paused time.
    pub fn listen(mut self) -> Self {
        self.listens = true;
        self
    }
}

#[track_caller]
fn named<H: Hook>() -> NamedHook {
    NamedHook { hook: H::META, place: Location::caller() }
}
