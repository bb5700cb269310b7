//! Start of a run by the executor: startup hooks, services and ready hooks.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Executor;
use super::phase_run::{NextStep, PhaseRun};
use super::running_tasks::{Deadline, EndedTask, RunningTasks};
use super::step_deadline::is_worth_starting;
use super::traversal::CriticalPath;
use crate::engine::services::supervise;
use crate::event::{Event, Limit, Outcome, StartFailure};
use crate::hook::runtime::HookRuntime;
use crate::hook::stop::{StopCause, hurried, stop_asked};
use crate::hook::{HookMeta, Kind, Phase};
use crate::plan::{ABANDON_AFTER, Step};

/// Failure or interruption that ended a start early.
#[derive(Debug)]
pub(crate) struct StartError {
    /// Cause of the stop that follows.
    pub(crate) cause: StopCause,
    /// Failure of the start; `None` if the stop was asked for while nothing had failed.
    pub(crate) failure: Option<StartFailure>,
}

impl StartError {
    /// Makes the error of a start that failed.
    pub(crate) fn new(failure: StartFailure) -> Self {
        Self { cause: StopCause::StartFailed, failure: Some(failure) }
    }

    /// Makes the error of a start that a stop interrupted.
    pub(crate) fn stopped(cause: StopCause) -> Self {
        let failure = match &cause {
            StopCause::Failed(error) => {
                return Self::new(StartFailure::Program { error: error.clone() });
            }
            StopCause::Service { hook, outcome } => StartFailure::of(hook, outcome.clone()),
            cause if cause.is_wanted() => return Self { cause: cause.clone(), failure: None },
            cause => StartFailure::Ended { cause: cause.clone() },
        };
        Self { cause, failure: Some(failure) }
    }
}

/// Hooks that were running when a start ended early.
pub(crate) struct Interrupted {
    phase: Phase,
    tasks: RunningTasks,
}

impl Interrupted {
    /// Makes an empty set, for a phase that is over.
    pub(crate) fn nothing(hooks: &HookRuntime) -> Self {
        Self { phase: Phase::Ready, tasks: RunningTasks::new(0, hooks) }
    }
}

impl Executor {
    /// Runs the startup hooks and begins the services. Ends early if one fails, `deadline` passes,
    /// or a stop is asked for: the caller then gives up what is running.
    pub(crate) async fn start(
        &mut self,
        deadline: Instant,
    ) -> Result<CriticalPath, (StartError, Interrupted)> {
        let path = self.run_start(Phase::Startup, deadline).await?;
        self.all_started = self.services.keys().all(|&at| self.started[at]);
        Ok(path)
    }

    /// Runs the ready hooks, and ends early as [`start`](Self::start) does.
    pub(crate) async fn make_ready(
        &mut self,
        deadline: Instant,
    ) -> Result<CriticalPath, (StartError, Interrupted)> {
        // Without ready hooks there is no moment at which a stop could turn into a failed start.
        if self.engine.plan.phase(Phase::Ready).steps().is_empty() {
            return Ok(CriticalPath::new());
        }
        self.run_start(Phase::Ready, deadline).await
    }

    async fn run_start(
        &mut self,
        phase: Phase,
        deadline: Instant,
    ) -> Result<CriticalPath, (StartError, Interrupted)> {
        let engine = Arc::clone(&self.engine);
        let mut run = PhaseRun::begin(phase, &engine, &self.span);
        match self.start_steps(&mut run, deadline).await {
            Ok(()) => Ok(run.critical_path(engine.plan.hooks())),
            Err(error) => Err((error, Interrupted { phase, tasks: run.tasks })),
        }
    }

    async fn start_steps(
        &mut self,
        run: &mut PhaseRun<'_>,
        deadline: Instant,
    ) -> Result<(), StartError> {
        let mut asked = self.engine.asked();
        let of_phase = Deadline {
            cancel_at: deadline,
            limit: Limit::StartupTimeout,
            abandon_at: deadline + ABANDON_AFTER,
        };
        if let Some(cause) = asked.borrow().cause.clone() {
            return Err(StartError::stopped(cause));
        }
        let runs_code = |step| matches!(step, Step::Run(_));
        loop {
            match run.next(runs_code, stop_asked(&mut asked)).await {
                NextStep::Ready(step) => self.start_step(run, step, of_phase)?,
                NextStep::Ended(ended) => {
                    let (step, took) = (ended.step, ended.took);
                    let outcome = ended.outcome();
                    self.start_ended(run.step(step), ended).map_err(StartError::new)?;
                    run.finish(step, took, Some(&outcome));
                }
                NextStep::Interrupted(cause) => return Err(StartError::stopped(cause)),
                NextStep::Done => return Ok(()),
            }
        }
    }

    /// Begins a step of the start.
    ///
    /// # Errors
    ///
    /// Fails if no time is left for the step.
    fn start_step(
        &mut self,
        run: &mut PhaseRun<'_>,
        step: usize,
        of_phase: Deadline,
    ) -> Result<(), StartError> {
        let Step::Run(at) = run.step(step) else {
            run.pass(step);
            return Ok(());
        };
        let hook = self.engine.plan.hooks()[at];
        if !is_worth_starting(of_phase, Instant::now()) {
            return Err(self.not_begun(hook));
        }
        if hook.kind == Kind::Service {
            self.start_service(run, step, at, of_phase);
        } else {
            self.begin(run, step, hook, of_phase);
        }
        Ok(())
    }

    /// Starts a service, as a step that has ended when the service is ready.
    fn start_service(
        &mut self,
        run: &mut PhaseRun<'_>,
        step: usize,
        at: usize,
        of_phase: Deadline,
    ) {
        let hook = self.engine.plan.hooks()[at];
        let now = Instant::now();
        self.engine.events.emit_at(now, &Event::HookStarted { hook });
        let service = supervise(hook, Arc::clone(&self.engine), self.alive.guard());
        let commands = service.commands().clone();
        run.span(step, hook);
        run.tasks.await_service(step, hook, commands, service.started(), now, of_phase);
        self.services.insert(at, service);
    }

    /// Emits the outcome of a hook of the start that no time is left for, and returns the failure.
    fn not_begun(&self, hook: &'static HookMeta) -> StartError {
        let outcome = Outcome::NotBegun { is_blocked: false };
        let failure = StartFailure::of(hook, outcome.clone());
        self.engine.events.emit(&Event::HookEnded { hook, outcome, took: Duration::ZERO });
        StartError::new(failure)
    }

    /// Stores the value of a hook that has ended, or returns the failure by which there is none.
    fn start_ended(&mut self, step: Step, ended: EndedTask) -> Result<(), StartFailure> {
        let Step::Run(at) = step else { return Ok(()) };
        let hook = self.engine.plan.hooks()[at];
        let outcome = match ended.result {
            Ok(value) => {
                self.engine.scope.store(at, value);
                self.started[at] = true;
                Outcome::Succeeded
            }
            Err(outcome) => outcome,
        };
        let has_failed = outcome != Outcome::Succeeded && !outcome.is_ignored(hook);
        let failure = has_failed.then(|| StartFailure::of(hook, outcome.clone()));
        match self.services.get(&at) {
            // The service goes on.
            Some(_) if self.started[at] => {}
            Some(service) => service.emit_end(&self.engine.events, ended.at, outcome),
            None => {
                self.engine
                    .events
                    .emit_at(ended.at, &Event::HookEnded { hook, outcome, took: ended.took });
            }
        }
        failure.map_or(Ok(()), Err)
    }

    /// Cancels the hooks that are running and waits for their ends: a hook that succeeds all the
    /// same has started. A hook that takes `Stop` has its timeout to end by itself. A hook that
    /// can't be cancelled is waited for until `at`, or until the stop is hurried.
    pub(crate) async fn give_up(&mut self, left: Interrupted, at: Instant) {
        let Interrupted { phase, mut tasks } = left;
        let mut asked = self.engine.asked();
        let plan = Arc::clone(&self.engine.plan);
        let steps = plan.phase(phase).steps();
        tasks.give_up(at);
        let mut is_hurried = false;
        loop {
            tokio::select! {
                biased;
                ended = tasks.next() => match ended {
                    Some(ended) => drop(self.start_ended(steps[ended.step], ended)),
                    None => return,
                },
                () = hurried(&mut asked), if !is_hurried => {
                    is_hurried = true;
                    self.hurry_services_with_drain();
                    tasks.cancel(Instant::now());
                }
            }
        }
    }
}
