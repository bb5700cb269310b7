//! Plan and start of the app that a builder has described.

use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use super::TestAppBuilder;
use crate::hook::{HookMeta, Kind};
use crate::plan::Plan;
use crate::testing::app::TestApp;
use crate::testing::app::running::AppParts;
use crate::testing::assertions::TestReport;
use crate::testing::at_await::AtAwait;
use crate::testing::clock;
use crate::testing::moment::{Signal, TimedSignal};
use crate::testing::scheduler::Scheduler;
use crate::testing::selection::NamedHook;
use crate::testing::stalls::Stalls;
use crate::testing::work::work;

/// Least time limit of the start and of the stop, where each permit takes a millisecond of paused
/// time. It costs a test no real time.
const LEAST_TIME_OF_RUN: Duration = Duration::from_secs(60);

/// App that has started, or the report of a start that failed.
pub(in crate::testing) type StartResult = Result<TestApp, Box<TestReport>>;

impl TestAppBuilder {
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
                     and in `#[lifecycle_runtime::test]` with `start_paused = false`"
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

    /// Makes the parts of the app: its plan, the work of its hooks, its faults and signals.
    ///
    /// # Errors
    ///
    /// Something impossible that the builder was told.
    fn parts(mut self) -> Result<AppParts, String> {
        let plan = self.planned()?;
        // The rest belongs to a setup of which this test runs a part.
        let is_there = |hook: &HookMeta| plan.position(hook.id).is_some();
        self.faults.retain(|fault| is_there(fault.hook));
        self.signals.retain(|timed| timed.moment.hook().is_none_or(is_there));
        for TimedSignal { signal, place, .. } in &self.signals {
            heard(&plan, *signal).map_err(|mistake| format!("{place}: {mistake}"))?;
        }
        let faults = Arc::new(self.faults);
        let stalls = Stalls::default();
        Ok(AppParts {
            lifecycle: self.lifecycle,
            plan: Arc::new(plan),
            work: work(self.selection, Arc::clone(&faults), stalls.clone()),
            faults,
            signals: self.signals,
            stalls,
            listens: self.listens,
            is_whole_program: self.is_whole_program,
            scheduler: None,
        })
    }
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
