//! Builder of the app that runs inside a test.

mod injection;

use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use super::{AppParts, TestApp};
use crate::hook::output::HookValue;
use crate::hook::task::Value;
use crate::hook::{Hook, HookMeta, Kind};
use crate::lifecycle::Lifecycle;
use crate::plan::Plan;
use crate::process::registry::modules::View;
use crate::testing::assertions::TestReport;
use crate::testing::at_await::AtAwait;
use crate::testing::clock;
use crate::testing::faults::PlantedFault;
use crate::testing::moment::{Signal, Timed};
use crate::testing::scheduler::Scheduler;
use crate::testing::selection::{NamedHook, Selection, goes_with};
use crate::testing::stalls::Stalls;
use crate::testing::work::work;

/// Least time limit of the start and of the stop, where each permit takes a millisecond.
const LEAST_TIME_OF_RUN: Duration = Duration::from_secs(60);

/// App that has started, or the report of a start that failed.
pub(in crate::testing) type StartResult = Result<TestApp, Box<TestReport>>;

/// Builder of a [`TestApp`], with the selection of its hooks, the values that replace some, and the
/// faults.
///
/// [`TestApp::builder`] and [`TestApp::of`] create it. A mistake is a panic at the line of the test
/// that made it.
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
    faults: Vec<PlantedFault>,
    signals: Vec<Timed>,
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
        self.faults.retain(|planted| !goes_with(planted.hook, H::META));
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
        self.faults.retain(|planted| planted.hook != H::META);
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

    /// Serves the app on a free port of 127.0.0.1: see [`TestApp::url`]. Without this call it
    /// answers only in memory.
    ///
    /// Connections are real, so this needs time that passes, not paused time.
    pub fn listen(mut self) -> Self {
        self.listens = true;
        self
    }

    /// Returns the plan of the hooks that would run: for its
    /// [snapshot](crate::plan::PlanFormat::Snapshot), or to go through its hooks.
    ///
    /// ```standalone_crate
    /// use lifecycle_runtime::testing::TestApp;
    /// use lifecycle_runtime::{Dep, on_startup};
    ///
    /// #[on_startup]
    /// async fn db() {}
    /// #[on_startup]
    /// async fn import(db: Dep<db>) {}
    ///
    /// assert_eq!(TestApp::builder().without::<import>().plan().hooks().len(), 1);
    /// ```
    ///
    /// # Panics
    ///
    /// If there is no plan, or the builder was told something impossible.
    #[track_caller]
    #[must_use]
    pub fn plan(&self) -> Plan {
        match self.planned() {
            Ok(plan) => plan,
            Err(mistake) => panic!("{mistake}"),
        }
    }

    /// Starts the app, and waits until it is ready.
    ///
    /// # Panics
    ///
    /// If the start fails, with what happened, or if the builder was told something impossible.
    #[track_caller]
    pub fn start(self) -> impl Future<Output = TestApp> {
        let place = Location::caller();
        let starting = self.starting();
        AtAwait::new(async move {
            let started = starting.await?;
            started.map_err(|report| report.failure(&format!("{place}: the start failed")))
        })
    }

    /// Starts the app, and waits until it is ready, or until a start that failed has been undone.
    ///
    /// # Errors
    ///
    /// The report of a start that failed.
    ///
    /// # Panics
    ///
    /// If the builder was told something impossible.
    #[track_caller]
    pub fn try_start(self) -> impl Future<Output = Result<TestApp, Box<TestReport>>> {
        AtAwait::new(self.starting())
    }

    /// Starts the app, stops it as soon as it is ready, and returns the report, even of a start
    /// that fails.
    ///
    /// # Panics
    ///
    /// If the builder was told something impossible.
    #[track_caller]
    pub fn run(self) -> impl Future<Output = TestReport> {
        let starting = self.starting();
        AtAwait::new(async move {
            match starting.await? {
                Ok(app) => app.stopped().await,
                Err(report) => Ok(*report),
            }
        })
    }

    /// Starts the app. The inner error is the report of a start that failed.
    ///
    /// # Errors
    ///
    /// A mistake of the test that only the run reveals.
    ///
    /// # Panics
    ///
    /// If the builder was told something impossible.
    #[track_caller]
    pub(in crate::testing) fn starting(self) -> impl Future<Output = Result<StartResult, String>> {
        let listens = self.listens;
        let place = Location::caller();
        let parts = match self.parts() {
            Ok(parts) => parts,
            Err(mistake) => panic!("{mistake}"),
        };
        async move {
            if listens && clock::is_paused() {
                return Err(format!(
                    "{place}: an app that listens needs time that passes: without `start_paused`, \
                     and \
                     in `#[lifecycle_runtime::test]` with `start_paused = false`"
                ));
            }
            TestApp::run(parts).await
        }
    }

    /// Starts the app so that its hooks go on one at a time, by permits of the scheduler.
    ///
    /// # Errors
    ///
    /// Something impossible that the builder was told. The inner error is that of
    /// [`try_start`](Self::try_start).
    pub(in crate::testing) async fn start_scheduled(
        self,
        scheduler: &Scheduler,
    ) -> Result<StartResult, String> {
        if self.listens {
            return Err(
                "an app that is explored can't listen: connections are real, and time is not"
                    .to_owned(),
            );
        }
        let real = self.selection.real_services();
        let mut parts = self.parts()?;
        if let Some(NamedHook { hook, place }) =
            real.iter().find(|real| parts.plan.position(real.hook.id).is_some())
        {
            let name = hook.name();
            return Err(format!(
                "{place}: time would stand still for as long as `{name}` runs, and no hook would \
                 go on; replace it by `replace::<{name}>(())`, which is nothing real"
            ));
        }
        scheduler.signals().iter().try_for_each(|signal| heard(&parts.plan, *signal))?;
        // Permits take time, which is no reason to fail.
        let config = &mut parts.lifecycle.config;
        config.grace = config.grace.max(LEAST_TIME_OF_RUN);
        config.startup_timeout = config.startup_timeout.max(LEAST_TIME_OF_RUN);
        parts.work = scheduler.scheduled(parts.work);
        if scheduler.inject_faults() {
            parts.stalls.mute();
        }
        parts.scheduler = Some(scheduler.clone());
        TestApp::run(parts).await
    }

    fn planned(&self) -> Result<Plan, String> {
        let seen = self.selection.seen(&self.lifecycle);
        let hooks = self.selection.select(seen, &self.lifecycle.expected)?;
        let plan = Plan::new(hooks).map(|plan| self.lifecycle.with_settings(plan));
        plan.and_then(|plan| plan.fitting(self.lifecycle.config.strict_budget))
            .map_err(|error| error.to_string())
    }

    fn parts(self) -> Result<AppParts, String> {
        let plan = self.planned()?;
        let Self { lifecycle, is_whole_program, selection, mut faults, mut signals, listens } =
            self;
        // The rest belongs to a setup of which this test runs a part.
        let is_there = |hook: &HookMeta| plan.position(hook.id).is_some();
        faults.retain(|planted| is_there(planted.hook));
        signals.retain(|timed| timed.moment.hook().is_none_or(is_there));
        for Timed { signal, place, .. } in &signals {
            heard(&plan, *signal).map_err(|mistake| format!("{place}: {mistake}"))?;
        }
        let faults = Arc::new(faults);
        let stalls = Stalls::default();
        let work = work(selection, Arc::clone(&faults), stalls.clone());
        let plan = Arc::new(plan);
        Ok(AppParts {
            lifecycle,
            plan,
            work,
            faults,
            signals,
            stalls,
            listens,
            is_whole_program,
            scheduler: None,
        })
    }
}

#[track_caller]
fn named<H: Hook>() -> NamedHook {
    NamedHook { hook: H::META, place: Location::caller() }
}

/// Checks that the signal has an effect: it stops the app, or a hook is for it.
fn heard(plan: &Plan, signal: Signal) -> Result<(), String> {
    if signal.stops() || plan.of_kind(Kind::Signal).any(|hook| hook.signal() == Some(signal.name()))
    {
        Ok(())
    } else {
        Err(format!("nobody hears {signal}: no hook of the app is for it"))
    }
}
