//! An app as a test wants it, before it starts.

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

/// How long the start, and how long the stop may at least take where each turn takes a millisecond.
const LEAST_TIME_OF_RUN: Duration = Duration::from_secs(60);

/// An app that has started, or the report of a start that failed.
pub(in crate::testing) type StartResult = Result<TestApp, Box<TestReport>>;

/// An app that a test is about to start: which hooks run, which are replaced, what goes wrong.
///
/// Made by [`TestApp::builder`] or [`TestApp::of`]. Mistakes are panics at the line of the test
/// that made them.
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
/// let report = TestApp::builder().replace::<db>(7).without::<import>().hang::<close_db>().run().await;
/// assert_eq!(report.exit_code(), 3);
/// # }
/// ```
#[must_use = "nothing happens until `start` or `run`"]
pub struct TestAppBuilder {
    lifecycle: Lifecycle,
    /// Set if all of a program runs, which ends when it has nothing left to do.
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

    /// Sees the hooks that a test in the caller's file sees, as well.
    pub(in crate::testing) fn seen_from(mut self, caller: &'static Location<'static>) -> Self {
        self.selection.view.add_file(caller);
        self
    }

    /// Runs this hook, what it needs, and the teardowns of these; of other hooks, only those that
    /// are named in the same way. What the builder was told of the rest before, such as to
    /// [replace](Self::replace) it or to have it [fail](Self::fail), is passed over, so that
    /// several tests may share a setup.
    #[track_caller]
    pub fn only<H: Hook>(mut self) -> Self {
        self.selection.only(named::<H>());
        self.is_whole_program = false;
        self
    }

    /// Runs this hook, too: one that belongs to the tests of
    /// [another module](crate::testing::guide#whose-hooks), or that is no part of the lifecycle.
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

    /// Runs all hooks that tests in this module see, too: `module_path!()`, for a test under
    /// another attribute than `#[lifecycle_runtime::test]` whose hooks stand in another file than
    /// it; or the path of [another module](crate::testing::guide#whose-hooks). A module whose tests have no
    /// hooks of their own is a mistake.
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

    /// Leaves this hook out, and with it its teardown. What only stands behind it runs all the
    /// same; what needs it has to be left out, too, or the hook to be [replaced](Self::replace).
    ///
    /// The last word on a hook counts: what the builder was told of it and of its teardown before
    /// is forgotten, and what it is told of the hook later brings it back.
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

    /// Gives this hook a value: its function does not run, and what only that needs may be left
    /// out. It stays where it stands in the order of the plan, and its teardown runs with the
    /// value, unless that is [left out](Self::without). Of several values the last one counts.
    ///
    /// A service that is replaced is ready at once, and does nothing until it is told to stop.
    #[track_caller]
    pub fn replace<H: Hook<Value: HookValue>>(mut self, value: H::Value) -> Self {
        self.selection.replace(named::<H>(), Value::new(value));
        // The last word counts.
        self.faults.retain(|planted| planted.hook != H::META);
        self
    }

    /// Has paused time stand still while this hook runs, as [`real_io`](crate::testing::real_io()) does: for
    /// one that reads files or asks a database. Not for one that waits for time to pass: a service
    /// that does both is [replaced](Self::replace) where time matters. A plain `fn` needs it only
    /// if it is a service that does something real between its start and its stop: see
    /// [Time](crate::testing::guide#time).
    #[track_caller]
    pub fn real_io<H: Hook>(mut self) -> Self {
        self.selection.real_io(named::<H>());
        self
    }

    /// Has paused time stand still while any hook runs that ends by itself: for an app whose hooks
    /// nearly all ask a database. As [`real_io`](Self::real_io) of each of them. A service runs
    /// until the stop, and is named by itself where it has to be.
    ///
    /// The test waits for what is real by [`real_io`](crate::testing::real_io()), and so does a request
    /// whose handler does.
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

    /// Serves the app on a free port of 127.0.0.1: see [`TestApp::url`]. Without this it answers in
    /// memory only.
    ///
    /// Needs time that passes, not paused time: connections are real.
    pub fn listen(mut self) -> Self {
        self.listens = true;
        self
    }

    /// The plan of what would run: for its [snapshot](crate::plan::PlanFormat::Snapshot), or to go
    /// through its hooks.
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
    /// If there is none, and if the builder was told something that can't be.
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
    /// If the start fails, with what happened, and if the builder was told something that can't be.
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
    /// If the builder was told something that can't be.
    #[track_caller]
    pub fn try_start(self) -> impl Future<Output = Result<TestApp, Box<TestReport>>> {
        AtAwait::new(self.starting())
    }

    /// Starts the app, stops it as soon as it is ready, and returns the report: also of a start
    /// that fails.
    ///
    /// # Panics
    ///
    /// If the builder was told something that can't be.
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
    /// A mistake of the test that only the run shows.
    ///
    /// # Panics
    ///
    /// If the builder was told something that can't be.
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

    /// Starts the app so that its hooks go on one at a time.
    ///
    /// # Errors
    ///
    /// What the builder was told and can't be. Inside, as [`try_start`](Self::try_start).
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
                "{place}: time would stand still for as long as `{name}` runs, and no hook would go \
                 on; replace it by \
                 `replace::<{name}>(())`, which is nothing real"
            ));
        }
        scheduler.signals().iter().try_for_each(|signal| heard(&parts.plan, *signal))?;
        // The time that permits take is no reason to fail.
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
        // The rest is of a setup that this test runs a part of.
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

/// Returns whether anything comes of this signal.
fn heard(plan: &Plan, signal: Signal) -> Result<(), String> {
    if signal.stops() || plan.of_kind(Kind::Signal).any(|hook| hook.signal() == Some(signal.name()))
    {
        Ok(())
    } else {
        Err(format!("nobody hears {signal}: no hook of the app is for it"))
    }
}
