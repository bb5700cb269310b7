//! Stop of a run by the executor: drain hooks, the ends of services, shutdown hooks and drops.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::Executor;
use super::phase_run::{NextStep, PhaseRun};
use super::running_tasks::{Deadline, EndedTask};
use super::step_deadline::{PhaseTime, own_time};
use super::traversal::CriticalPath;
use crate::engine::services::ServiceHandle;
use crate::event::{Event, Limit, Outcome};
use crate::hook::stop::{Asked, hurried};
use crate::hook::{HookMeta, Phase};
use crate::plan::Step;

impl Executor {
    /// Tells the services with `stop_on = "drain"` to stop, without waiting for their end.
    pub(crate) fn stop_services_with_drain(&mut self) {
        let now = Instant::now();
        for (&at, service) in &mut self.services {
            let hook = self.engine.plan.hooks()[at];
            if self.started[at] && hook.stops_with_drain() {
                let until = hook.timeout.and_then(|timeout| now.checked_add(timeout));
                service.stop_with_drain(until);
            }
        }
    }

    /// Cancels the services that were told to stop with the drain, as the stop is hurried.
    pub(super) fn hurry_services_with_drain(&self) {
        self.services.values().for_each(ServiceHandle::hurry_with_drain);
    }

    /// Runs the drain hooks whose dependencies have started.
    pub(crate) async fn drain(&mut self, time: PhaseTime<'_>) -> CriticalPath {
        self.run_stop(Phase::Drain, time).await
    }

    /// Stops the services, runs the shutdown hooks and teardowns, and drops the values. It does so
    /// for what has started, and passes over what depends on anything that has not. Services are
    /// cancelled at once when the stop is hurried.
    pub(crate) async fn stop(&mut self, time: PhaseTime<'_>) -> CriticalPath {
        self.run_stop(Phase::Shutdown, time).await
    }

    async fn run_stop(&mut self, phase: Phase, time: PhaseTime<'_>) -> CriticalPath {
        let engine = Arc::clone(&self.engine);
        // Most programs have no drain hook, and the code below costs more than all else here.
        if engine.plan.phase(phase).steps().is_empty() {
            return CriticalPath::new();
        }
        let mut run = PhaseRun::begin(phase, &engine, &self.span);
        let mut asked = engine.asked();
        // A hurry matters only to services here.
        let mut may_be_hurried = !self.services.is_empty();
        loop {
            let runs_code = |step| self.has_code_to_run(step);
            match run.next(runs_code, hurried_if(may_be_hurried, &mut asked)).await {
                NextStep::Ready(step) => {
                    if !self.stop_step(&mut run, step, time, &asked) {
                        run.pass(step);
                    }
                }
                NextStep::Ended(ended) => self.stop_ended(&mut run, ended, time),
                NextStep::Interrupted(()) => {
                    self.hurry_services_with_drain();
                    run.tasks.hurry_services(Instant::now());
                    may_be_hurried = false;
                }
                NextStep::Done => return run.critical_path(engine.plan.hooks()),
            }
        }
    }

    /// Returns `true` if a step of the stop runs code of the user's when it begins.
    fn has_code_to_run(&self, step: Step) -> bool {
        match step {
            Step::Run(at) => self.missing(self.engine.plan.hooks()[at]).is_none(),
            Step::Drop(at) => self.engine.scope.drop_runs_code(at),
            Step::Stop(_) | Step::Barrier(_) => false,
        }
    }

    /// Begins a step of the stop. Returns `false` if there is nothing to wait for.
    fn stop_step(
        &mut self,
        run: &mut PhaseRun<'_>,
        step: usize,
        time: PhaseTime<'_>,
        asked: &watch::Receiver<Asked>,
    ) -> bool {
        let now = Instant::now();
        let share = time.of_step(step, now);
        match run.step(step) {
            Step::Barrier(_) => false,
            Step::Stop(at) => self.stop_service(run, step, at, share, asked.borrow().hurry),
            Step::Drop(at) => self.begin_to_drop(&mut run.tasks, step, at, share, asked),
            Step::Run(at) => {
                let hook = self.engine.plan.hooks()[at];
                if let Some(outcome) = self.obstruction(hook, step, share, time, now) {
                    self.engine.events.emit(&Event::HookEnded {
                        hook,
                        outcome,
                        took: Duration::ZERO,
                    });
                    return false;
                }
                self.begin(run, step, hook, share);
                true
            }
        }
    }

    /// Returns the outcome of a hook of the stop that can't begin: something that it depends on has
    /// not started, or no time is left.
    fn obstruction(
        &self,
        hook: &'static HookMeta,
        step: usize,
        share: Deadline,
        time: PhaseTime<'_>,
        now: Instant,
    ) -> Option<Outcome> {
        if let Some(missing) = self.missing(hook) {
            return Some(Outcome::Skipped { missing: self.engine.plan.planned(missing) });
        }
        let has_time = time.is_worth_beginning(step, share, now);
        (!has_time).then_some(Outcome::NotBegun { is_blocked: false })
    }

    /// Tells a service to stop, as a step that has ended when the service has. Returns `false` if
    /// the service has ended already, or never began.
    fn stop_service(
        &self,
        run: &mut PhaseRun<'_>,
        step: usize,
        at: usize,
        share: Deadline,
        is_hurried: bool,
    ) -> bool {
        let Some(service) = self.services.get(&at).filter(|_| self.started[at]) else {
            return false;
        };
        let hook = self.engine.plan.hooks()[at];
        let now = Instant::now();
        let time = if is_hurried {
            Deadline { cancel_at: now, limit: Limit::Hurry, ..share }
        } else {
            own_time(hook, service.stopped_with_drain().unwrap_or(now), share)
        };
        let Some(ended) = service.stop(time.cancel_at) else { return false };
        run.span(step, hook);
        run.tasks.await_service(step, hook, service.commands().clone(), ended, now, time);
        true
    }

    /// Returns a hook that has not started and that this hook of the stop depends on.
    fn missing(&self, hook: &'static HookMeta) -> Option<&'static HookMeta> {
        if self.all_started {
            return None;
        }
        let has_started =
            |hook: &HookMeta| self.engine.plan.position(hook.id).is_some_and(|at| self.started[at]);
        hook.needs()
            .chain(hook.of())
            .find(|needed| needed.kind.may_be_used() && !has_started(needed))
    }

    /// Emits the end of a step, unless a value was awaited whose drop follows.
    fn stop_ended(&mut self, run: &mut PhaseRun<'_>, ended: EndedTask, time: PhaseTime<'_>) {
        let number = ended.step;
        let step = run.step(number);
        let ended = match step {
            Step::Drop(at) => {
                let share = time.of_step(number, Instant::now());
                self.drop_awaited(&mut run.tasks, at, share, ended)
            }
            _ => Some(ended),
        };
        let Some(EndedTask { at: moment, took, result, .. }) = ended else { return };
        let outcome = result.err().unwrap_or(Outcome::Succeeded);
        run.finish(number, took, Some(&outcome));
        match step {
            Step::Run(at) => {
                let hook = self.engine.plan.hooks()[at];
                self.engine.events.emit_at(moment, &Event::HookEnded { hook, outcome, took });
            }
            Step::Drop(at) => self.drop_ended(at, Some(outcome)),
            Step::Stop(at) => self.services[&at].emit_end(&self.engine.events, moment, outcome),
            Step::Barrier(_) => {}
        }
    }
}

/// Waits until the stop is hurried. Waits forever if that does not matter.
async fn hurried_if(matters: bool, asked: &mut watch::Receiver<Asked>) {
    if matters {
        hurried(asked).await;
    } else {
        pending::<()>().await;
    }
}
