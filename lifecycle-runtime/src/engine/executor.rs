//! Executor of a plan. Steps that wait for nothing run at the same time, each within its time, and
//! the end of one hook keeps no other hook from running.

mod held;
mod phase_time;
mod running_tasks;
mod traversal;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::engine::services::{self, AnnouncedStop, RunningServices, ServiceHandle, ServiceSpec};
use crate::event::{Event, Events, Limit, Outcome, StartFailure};
use crate::hook::runtime::HookRuntime;
use crate::hook::scope::Scope;
use crate::hook::stop::{Asked, StopCause, hurried, stop_asked};
use crate::hook::task::Task;
use crate::hook::{HookMeta, Kind, Phase};
use crate::plan::{ABANDON_AFTER, Plan, Step};

use held::Held;
pub(crate) use phase_time::PhaseTime;
use phase_time::{is_worth_starting, own_time};
pub(crate) use running_tasks::{Deadline, EndedTask, RunningTasks};
use traversal::Traversal;
pub(crate) use traversal::{CriticalPath, StepGate};

/// Function that makes the task of a hook: the hook's own `run`, except in tests.
pub(crate) type Work = Arc<dyn Fn(&'static HookMeta, Scope) -> Task + Send + Sync>;

/// Executor of one run of a plan.
pub(crate) struct Executor {
    plan: Arc<Plan>,
    scope: Scope,
    work: Work,
    hooks: HookRuntime,
    events: Events,
    /// For each hook of the plan, `true` if it belongs to the start and has succeeded.
    started: Vec<bool>,
    /// Set if all startup hooks and services have started.
    all_started: bool,
    /// Services that have begun, by their place in the plan.
    services: HashMap<usize, ServiceHandle>,
    /// Services that were told to stop with the drain.
    announced: Vec<AnnouncedStop>,
    /// Number of services that may still run.
    alive: RunningServices,
    held: Held,
    jitter: fn() -> f64,
    gate: Option<Arc<dyn StepGate>>,
}

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
    pub(crate) fn new(
        plan: Arc<Plan>,
        scope: Scope,
        work: Work,
        hooks: HookRuntime,
        events: Events,
        jitter: fn() -> f64,
        gate: Option<Arc<dyn StepGate>>,
    ) -> Self {
        let started = vec![false; plan.hooks().len()];
        let (services, held) = (HashMap::new(), Held::default());
        let alive = RunningServices::default();
        Self {
            plan,
            scope,
            work,
            hooks,
            events,
            started,
            all_started: false,
            services,
            announced: Vec::new(),
            alive,
            held,
            jitter,
            gate,
        }
    }

    /// Runs the startup hooks and begins the services. Ends early if one fails, `deadline` passes,
    /// or a stop is asked for: the caller then gives up what is running.
    pub(crate) async fn start(
        &mut self,
        deadline: Instant,
        asked: &mut watch::Receiver<Asked>,
    ) -> Result<CriticalPath, (StartError, Interrupted)> {
        self.run_starting(Phase::Startup, deadline, asked).await
    }

    /// Runs the ready hooks, and ends early as [`start`](Self::start) does.
    pub(crate) async fn make_ready(
        &mut self,
        deadline: Instant,
        asked: &mut watch::Receiver<Asked>,
    ) -> Result<CriticalPath, (StartError, Interrupted)> {
        self.run_starting(Phase::Ready, deadline, asked).await
    }

    async fn run_starting(
        &mut self,
        phase: Phase,
        deadline: Instant,
        asked: &mut watch::Receiver<Asked>,
    ) -> Result<CriticalPath, (StartError, Interrupted)> {
        let plan = Arc::clone(&self.plan);
        let graph = plan.phase(phase);
        let mut traversal = Traversal::through(graph, self.gate.as_ref());
        let mut tasks = RunningTasks::new(graph.steps().len(), &self.hooks);
        let of_phase = Deadline {
            cancel_at: deadline,
            limit: Limit::StartupTimeout,
            abandon_at: deadline + ABANDON_AFTER,
        };
        if let Some(cause) = asked.borrow().cause.clone() {
            return Err((StartError::stopped(cause), Interrupted { phase, tasks }));
        }
        loop {
            while let Some(step) = traversal.next(|step| matches!(step, Step::Run(_))) {
                match graph.steps()[step] {
                    Step::Run(at) => {
                        let hook = plan.hooks()[at];
                        if !is_worth_starting(of_phase, Instant::now()) {
                            return Err((self.not_begun(hook), Interrupted { phase, tasks }));
                        }
                        match hook.kind {
                            Kind::Service => self.begin_service(&mut tasks, step, at, of_phase),
                            _ => self.begin(&mut tasks, step, hook, of_phase),
                        }
                    }
                    Step::Stop(_) | Step::Drop(_) | Step::Barrier(_) => traversal.passed(step),
                }
            }
            let mut ended = tokio::select! {
                biased;
                cause = stop_asked(asked) => Err(StartError::stopped(cause)),
                () = traversal.permitted(), if traversal.waits() => continue,
                ended = tasks.next(), if tasks.is_busy() || !traversal.waits() => match ended {
                    None => {
                        self.all_started |= phase == Phase::Startup
                            && self.services.keys().all(|&at| self.started[at]);
                        return Ok(traversal.critical_path(plan.hooks()));
                    }
                    Some(ended) => Ok(Some(ended)),
                },
            };
            // This takes all tasks that have ended by now: asking for a stop costs more than taking
            // one of them.
            while let Ok(Some(one)) = ended {
                let (step, took) = (one.step, one.took);
                ended = match self.start_ended(phase, one) {
                    Ok(()) => {
                        traversal.ended(step, took);
                        Ok(tasks.next_ended())
                    }
                    Err(failure) => Err(StartError::new(failure)),
                };
            }
            if let Err(failure) = ended {
                return Err((failure, Interrupted { phase, tasks }));
            }
        }
    }

    /// Emits the outcome of a hook of the start that no time is left for, and returns the failure.
    fn not_begun(&self, hook: &'static HookMeta) -> StartError {
        let outcome = Outcome::NotBegun { is_blocked: false };
        let failure = StartFailure::of(hook, outcome.clone());
        self.events.emit(&Event::HookEnded { hook, outcome, took: Duration::ZERO });
        StartError::new(failure)
    }

    /// Cancels the hooks that are running and waits for their ends: a hook that succeeds all the
    /// same has started. A hook that takes `Stop` has its timeout to end by itself. A hook that
    /// can't be cancelled is waited for until `at`, or until the stop is hurried.
    pub(crate) async fn give_up(
        &mut self,
        left: Interrupted,
        at: Instant,
        asked: &mut watch::Receiver<Asked>,
    ) {
        let Interrupted { phase, mut tasks } = left;
        tasks.give_up(at);
        let mut is_hurried = false;
        loop {
            tokio::select! {
                biased;
                ended = tasks.next() => match ended {
                    Some(ended) => drop(self.start_ended(phase, ended)),
                    None => return,
                },
                () = hurried(asked), if !is_hurried => {
                    is_hurried = true;
                    self.hurry_announced();
                    tasks.cancel(Instant::now());
                }
            }
        }
    }

    /// Stores the value of a hook that has ended, or returns the failure by which there is none.
    fn start_ended(&mut self, phase: Phase, ended: EndedTask) -> Result<(), StartFailure> {
        let Step::Run(at) = self.plan.phase(phase).steps()[ended.step] else { return Ok(()) };
        let hook = self.plan.hooks()[at];
        let outcome = match ended.result {
            Ok(value) => {
                self.scope.store(at, value);
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
            Some(service) => service.tell_of_end(&self.events, ended.at, outcome),
            None => {
                self.events
                    .emit_at(ended.at, &Event::HookEnded { hook, outcome, took: ended.took });
            }
        }
        failure.map_or(Ok(()), Err)
    }

    /// Returns a future that waits until no service runs any more and one has ended well. Without
    /// any such service it waits forever: a program goes on without services that have failed and
    /// that it can do without.
    pub(crate) fn services_done(&self) -> impl Future<Output = ()> + use<> {
        let alive = self.alive.clone();
        async move { alive.all_done().await }
    }

    /// Tells the services with `stop_on = "drain"` to stop, without waiting for their end.
    pub(crate) fn announce_drain(&mut self) {
        let now = Instant::now();
        for (&at, service) in &self.services {
            let hook = self.plan.hooks()[at];
            if self.started[at] && hook.stops_with_drain() {
                let until = hook.timeout.and_then(|timeout| now.checked_add(timeout));
                self.announced.push(service.announce(until));
            }
        }
    }

    /// Cancels the services that were told to stop with the drain, as the stop is hurried.
    fn hurry_announced(&self) {
        self.announced.iter().for_each(AnnouncedStop::hurry);
    }

    /// Runs the drain hooks whose dependencies have started.
    pub(crate) async fn drain(
        &mut self,
        time: PhaseTime<'_>,
        asked: &mut watch::Receiver<Asked>,
    ) -> CriticalPath {
        self.run_stopping(Phase::Drain, time, asked).await
    }

    /// Stops the services, runs the shutdown hooks and teardowns, and drops the values. It does so
    /// for what has started, and passes over what depends on anything that has not. Services are
    /// cancelled at once when the stop is hurried.
    pub(crate) async fn stop(
        &mut self,
        time: PhaseTime<'_>,
        asked: &mut watch::Receiver<Asked>,
    ) -> CriticalPath {
        self.run_stopping(Phase::Shutdown, time, asked).await
    }

    async fn run_stopping(
        &mut self,
        phase: Phase,
        time: PhaseTime<'_>,
        asked: &mut watch::Receiver<Asked>,
    ) -> CriticalPath {
        let plan = Arc::clone(&self.plan);
        let graph = plan.phase(phase);
        // Most programs have no drain hook, and the code below costs more than all else here.
        if graph.steps().is_empty() {
            return CriticalPath::new();
        }
        let mut traversal = Traversal::through(graph, self.gate.as_ref());
        let mut tasks = RunningTasks::new(graph.steps().len(), &self.hooks);
        // A second signal matters only to services here.
        let mut may_be_hurried = !self.services.is_empty();
        loop {
            while let Some(step) = traversal.next(|step| self.has_code_to_run(step)) {
                if !self.begin_to_stop(&mut tasks, step, graph.steps()[step], time, asked) {
                    traversal.passed(step);
                }
            }
            let mut ended = tokio::select! {
                biased;
                () = traversal.permitted(), if traversal.waits() => continue,
                ended = tasks.next(), if tasks.is_busy() || !traversal.waits() => ended,
                () = hurried(asked), if may_be_hurried => {
                    self.hurry_announced();
                    tasks.hurry_services(Instant::now());
                    may_be_hurried = false;
                    continue;
                }
            };
            if ended.is_none() {
                return traversal.critical_path(plan.hooks());
            }
            while let Some(one) = ended {
                let step = one.step;
                let one = match graph.steps()[step] {
                    Step::Drop(at) => {
                        self.drop_awaited(&mut tasks, at, time.of_step(step, Instant::now()), one)
                    }
                    _ => Some(one),
                };
                if let Some(one) = one {
                    traversal.ended(step, one.took);
                    self.stop_ended(graph.steps()[step], one);
                }
                ended = tasks.next_ended();
            }
        }
    }

    /// Returns `true` if a step of the stop runs code of the user's when it begins.
    fn has_code_to_run(&self, step: Step) -> bool {
        match step {
            Step::Run(at) => self.missing(self.plan.hooks()[at]).is_none(),
            Step::Drop(at) => self.scope.drop_runs_code(at),
            Step::Stop(_) | Step::Barrier(_) => false,
        }
    }

    /// Begins a step of the stop. Returns `false` if there is nothing to wait for.
    fn begin_to_stop(
        &mut self,
        tasks: &mut RunningTasks,
        step: usize,
        what: Step,
        time: PhaseTime<'_>,
        asked: &watch::Receiver<Asked>,
    ) -> bool {
        let now = Instant::now();
        let share = time.of_step(step, now);
        match what {
            Step::Barrier(_) => false,
            Step::Stop(at) => self.tell_service(tasks, step, at, share, asked.borrow().hurry),
            Step::Run(at) => {
                let hook = self.plan.hooks()[at];
                if let Some(missing) = self.missing(hook) {
                    let outcome = Outcome::Skipped { missing: self.plan.planned(missing) };
                    self.events.emit(&Event::HookEnded { hook, outcome, took: Duration::ZERO });
                    return false;
                }
                if !time.is_worth_beginning(step, share, now) {
                    self.events.emit(&Event::HookEnded {
                        hook,
                        outcome: Outcome::NotBegun { is_blocked: false },
                        took: Duration::ZERO,
                    });
                    return false;
                }
                self.begin(tasks, step, hook, share);
                true
            }
            Step::Drop(at) => self.begin_to_drop(tasks, step, at, share, asked),
        }
    }

    /// Starts a service, as a step that has ended when the service is ready.
    fn begin_service(
        &mut self,
        tasks: &mut RunningTasks,
        step: usize,
        at: usize,
        of_phase: Deadline,
    ) {
        let hook = self.plan.hooks()[at];
        let now = Instant::now();
        self.events.emit_at(now, &Event::HookStarted { hook });
        let work = Arc::clone(&self.work);
        let spec = ServiceSpec {
            hook,
            task: Box::new(move |scope| work(hook, scope)),
            scope: self.scope.clone(),
            hooks: self.hooks.clone(),
            events: self.events.clone(),
            jitter: self.jitter,
        };
        let orders = watch::Sender::default();
        let listener = tasks.await_service(step, hook, orders.clone(), now, of_phase);
        self.services.insert(at, services::supervise(spec, orders, listener, self.alive.guard()));
    }

    /// Tells a service to stop, as a step that has ended when the service has. Returns `false` if
    /// the service has ended already, or never began.
    fn tell_service(
        &self,
        tasks: &mut RunningTasks,
        step: usize,
        at: usize,
        share: Deadline,
        is_hurried: bool,
    ) -> bool {
        let Some(service) = self.services.get(&at).filter(|_| self.started[at]) else {
            return false;
        };
        let hook = self.plan.hooks()[at];
        let now = Instant::now();
        let time = if is_hurried {
            Deadline { cancel_at: now, limit: Limit::Hurry, ..share }
        } else {
            own_time(hook, service.told_at().unwrap_or(now), share)
        };
        service.tell(time.cancel_at, |orders| tasks.await_service(step, hook, orders, now, time))
    }

    /// Returns a hook that has not started and that this hook of the stop depends on.
    fn missing(&self, hook: &'static HookMeta) -> Option<&'static HookMeta> {
        if self.all_started {
            return None;
        }
        let has_started =
            |hook: &HookMeta| self.plan.position(hook.id).is_some_and(|at| self.started[at]);
        hook.needs()
            .chain(hook.of())
            .find(|needed| needed.kind.may_be_used() && !has_started(needed))
    }

    fn stop_ended(&self, step: Step, ended: EndedTask) {
        let outcome = ended.result.err().unwrap_or(Outcome::Succeeded);
        match step {
            Step::Run(at) => {
                let hook = self.plan.hooks()[at];
                self.events
                    .emit_at(ended.at, &Event::HookEnded { hook, outcome, took: ended.took });
            }
            Step::Drop(at) => self.drop_ended(at, Some(outcome)),
            Step::Stop(at) => self.services[&at].tell_of_end(&self.events, ended.at, outcome),
            Step::Barrier(_) => {}
        }
    }

    /// Begins a hook, which has its own timeout but no more time than its phase.
    fn begin(
        &self,
        tasks: &mut RunningTasks,
        step: usize,
        hook: &'static HookMeta,
        of_phase: Deadline,
    ) {
        let now = Instant::now();
        self.events.emit_at(now, &Event::HookStarted { hook });
        let time = own_time(hook, now, of_phase);
        tasks.begin(
            step,
            hook,
            (self.work)(
                hook,
                self.scope.of_hook(Some(time.cancel_at), hook.kind.is_of_the_start()),
            ),
            now,
            time,
        );
    }
}
