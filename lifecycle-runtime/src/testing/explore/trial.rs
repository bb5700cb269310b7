//! Run of a test under one schedule.

use std::sync::Arc;
use std::time::Duration;

use super::quiet::{SilencedPanics, caught};
use crate::hook::state::State;
use crate::plan::Plan;
use crate::testing::app::TestApp;
use crate::testing::app::builder::TestAppBuilder;
use crate::testing::assertions::TestReport;
use crate::testing::harness::with_apps_stopped;
use crate::testing::scheduler::action::Action;
use crate::testing::scheduler::strategy::Strategy;
use crate::testing::scheduler::{Injections, Scheduler, Trace};

/// Time limit of a test, in paused time.
const LIMIT: Duration = Duration::from_secs(24 * 3600);

/// Test with its setup and its check, which can be run any number of times.
pub(super) struct ExploredTest<'t, Test> {
    pub(super) setup: &'t dyn Fn() -> TestAppBuilder,
    pub(super) check: Option<&'t dyn Fn(&TestReport)>,
    pub(super) test: Test,
    pub(super) injections: Injections,
}

/// Result of one run of a test.
pub(super) struct Trial {
    pub(super) plan: Arc<Plan>,
    pub(super) trace: Trace,
    /// Reason for the failure, if the run failed.
    pub(super) failure: Option<String>,
    /// Report of the app, if there is one.
    pub(super) report: Option<TestReport>,
}

impl Trial {
    /// Returns the actions that were permitted, in order.
    pub(super) fn order(&self) -> Vec<Action> {
        self.trace.steps.iter().map(|(_, action)| *action).collect()
    }
}

impl<Test: Fn(TestApp) -> F, F: Future<Output = ()>> ExploredTest<'_, Test> {
    /// Runs the test.
    ///
    /// # Errors
    ///
    /// A mistake of the test itself, under any schedule.
    pub(super) fn run(&self, strategy: Strategy) -> Result<Trial, String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .on_thread_start(SilencedPanics::forever)
            .build()
            .map_err(|error| format!("no async runtime for the test: {error}"))?;
        let scheduler = Scheduler::new(strategy, self.injections.clone());
        let _quiet = SilencedPanics::begin();
        let trial = runtime.block_on(async {
            let is_over = tokio::time::sleep(LIMIT);
            let trial = caught(async {
                tokio::select! {
                    biased;
                    trial = self.run_in(&scheduler) => Some(trial),
                    never = scheduler.give_permits() => match never {},
                    () = is_over => None,
                }
            });
            match trial.await {
                Ok(Some(trial)) => trial,
                // The app that is dropped with the trial may have panicked; that panic is not the
                // failure.
                Ok(None) | Err(_) if scheduler.has_run_for(LIMIT) => {
                    let plan = scheduler.plan().map(Arc::clone).ok_or("nothing was started")?;
                    let failure =
                        Some("the test did not end within a day of paused time".to_owned());
                    Ok(Trial { plan, trace: scheduler.trace(), failure, report: None })
                }
                Ok(None) => Err("nothing was started".to_owned()),
                Err(mistake) => Err(mistake),
            }
        });
        // Nobody waits for what is left on the blocking pool.
        runtime.shutdown_background();
        trial
    }

    async fn run_in(&self, scheduler: &Scheduler) -> Result<Trial, String> {
        let started = (self.setup)().start_scheduled(scheduler).await?;
        let (failure, report) = match started {
            Ok(app) => self.test(app, scheduler).await,
            Err(report) => {
                let is_judged = self.check.is_some() || scheduler.trace().injected.is_some();
                ((!is_judged).then(|| "the start failed".to_owned()), Some(*report))
            }
        };
        let plan = scheduler.plan().map(Arc::clone).ok_or("nothing was started")?;
        let trace = scheduler.trace();
        let failure = match (failure, &report, self.check) {
            (Some(failure), _, _) => Some(failure),
            (None, Some(report), Some(check)) => caught(async { check(report) }).await.err(),
            _ => None,
        };
        Ok(Trial { plan, trace, failure, report })
    }

    /// Runs the test on an app that has started, and stops it.
    async fn test(
        &self,
        app: TestApp,
        scheduler: &Scheduler,
    ) -> (Option<String>, Option<TestReport>) {
        scheduler.test_permit().await;
        let mut failure = None;
        if app.state() == State::Ready {
            scheduler.set_test_running(true);
            failure = caught(with_apps_stopped((self.test)(app.clone()))).await.flatten().err();
            scheduler.set_test_running(false);
        }
        let is_judged = app.has_ended() || self.check.is_some() || failure.is_some();
        match caught(app.stopped()).await.flatten() {
            Ok(report) => {
                let is_clean =
                    is_judged || report.is_clean() || scheduler.trace().injected.is_some();
                (
                    failure.or_else(|| (!is_clean).then(|| "the run was not clean".to_owned())),
                    Some(report),
                )
            }
            Err(error) => (failure.or(Some(error)), None),
        }
    }
}
