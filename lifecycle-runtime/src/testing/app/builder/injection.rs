//! Injection of faults and signals into the app of a test.

use std::panic::Location;
use std::time::Duration;

use super::TestAppBuilder;
use crate::hook::error::BoxError;
use crate::hook::{Hook, HookMeta};
use crate::testing::faults::{Fault, HookFault};
use crate::testing::moment::{Moment, Signal, TimedSignal};
use crate::testing::selection::NamedHook;

impl TestAppBuilder {
    /// Makes this hook fail with this error without running: a startup hook, a teardown, a service
    /// on every run.
    #[track_caller]
    pub fn fail<H: Hook>(self, error: impl Into<BoxError>) -> Self {
        self.inject::<H>(Fault::fail(error))
    }

    /// Makes this hook panic.
    #[track_caller]
    pub fn panic<H: Hook>(self) -> Self {
        self.inject::<H>(Fault::panic())
    }

    /// Makes this hook hang until it is cancelled.
    #[track_caller]
    pub fn hang<H: Hook>(self) -> Self {
        self.inject::<H>(Fault::hang())
    }

    /// Makes this hook take longer by this time.
    #[track_caller]
    pub fn delay<H: Hook>(self, by: Duration) -> Self {
        self.inject::<H>(Fault::delay(by))
    }

    /// Injects a fault into this hook. A fault that never comes up, because the hook doesn't run,
    /// is a mistake of the test.
    #[track_caller]
    pub fn inject<H: Hook>(self, fault: Fault) -> Self {
        self.inject_into(H::META, fault)
    }

    /// Injects a fault into the hook that a value names: for tests that go through many hooks.
    ///
    /// ```standalone_crate
    /// use lifecycle_runtime::testing::{Fault, TestApp};
    /// use lifecycle_runtime::hook::Kind;
    /// use lifecycle_runtime::{Dep, Lifecycle, on_shutdown, on_startup};
    ///
    /// #[on_startup]
    /// async fn db() {}
    /// #[on_startup]
    /// async fn cache(db: Dep<db>) {}
    /// #[on_shutdown(of = db)]
    /// async fn close_db() {}
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// for hook in Lifecycle::new().plan().unwrap().of_kind(Kind::Startup) {
    ///     let report = TestApp::builder().inject_into(hook, Fault::panic()).run().await;
    ///     report.assert_exit_code(1);
    /// }
    /// # }
    /// ```
    #[track_caller]
    pub fn inject_into(mut self, hook: &'static HookMeta, fault: Fault) -> Self {
        let place = Location::caller();
        self.selection.involve(NamedHook { hook, place }, "given a fault");
        self.faults.push(HookFault::new(hook, fault, place));
        self
    }

    /// Sends this signal at this moment, to this app and not to the process. A signal whose moment
    /// never comes is a mistake of the test.
    ///
    /// ```standalone_crate
    /// use lifecycle_runtime::on_startup;
    /// use lifecycle_runtime::testing::{Moment, Signal, TestApp};
    ///
    /// #[on_startup]
    /// async fn migrations() {}
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// let app = TestApp::builder().signal_at(Moment::ends::<migrations>(), Signal::SIGTERM);
    /// let report = app.run().await;
    /// assert!(report.interrupted, "the start was not over");
    /// # }
    /// ```
    #[track_caller]
    pub fn signal_at(mut self, moment: Moment, signal: Signal) -> Self {
        let place = Location::caller();
        if let Some(hook) = moment.hook() {
            self.selection.involve(NamedHook { hook, place }, "waited for");
        }
        self.signals.push(TimedSignal { moment, signal, place, count: 0.into() });
        self
    }
}
