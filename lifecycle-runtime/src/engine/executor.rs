//! Executor of a plan. Steps that wait for nothing run at the same time, each within its time, and
//! the end of one hook keeps no other hook from running.

mod held;
mod phase_run;
mod running_tasks;
mod start;
mod step_deadline;
mod stop;
mod traversal;

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::time::Instant;
use tracing::Span;

use crate::engine::Engine;
use crate::engine::services::{RunningServices, ServiceHandle};
use crate::event::Event;
use crate::hook::HookMeta;

use held::Held;
use phase_run::PhaseRun;
pub(crate) use running_tasks::{Deadline, EndedTask, RunningTasks};
pub(crate) use start::{Interrupted, StartError};
pub(crate) use step_deadline::PhaseTime;
use step_deadline::own_time;
pub(crate) use traversal::{CriticalPath, StepGate};

/// Executor of one run of a plan.
pub(crate) struct Executor {
    engine: Arc<Engine>,
    /// For each hook of the plan, `true` if it belongs to the start and has succeeded.
    started: Vec<bool>,
    /// Set if all startup hooks and services have started.
    all_started: bool,
    /// Services that have begun, by their place in the plan.
    services: BTreeMap<usize, ServiceHandle>,
    /// Number of services that may still run.
    alive: RunningServices,
    held: Held,
    /// Span of the start or the stop.
    span: Span,
}

impl Executor {
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        Self {
            started: vec![false; engine.plan.hooks().len()],
            engine,
            all_started: false,
            services: BTreeMap::new(),
            alive: RunningServices::default(),
            held: Held::default(),
            span: Span::none(),
        }
    }

    /// Has the steps of the following phases be below this span.
    pub(crate) fn trace_below(&mut self, span: Span) {
        self.span = span;
    }

    /// Returns a future that waits until no service runs any more and one has ended well. Without
    /// any such service it waits forever: a program goes on without services that have failed and
    /// that it can do without.
    pub(crate) fn services_done(&self) -> impl Future<Output = ()> + use<> {
        let alive = self.alive.clone();
        async move { alive.all_done().await }
    }

    /// Begins a hook, which has its own timeout but no more time than its phase.
    fn begin(
        &self,
        run: &mut PhaseRun<'_>,
        step: usize,
        hook: &'static HookMeta,
        of_phase: Deadline,
    ) {
        let now = Instant::now();
        self.engine.events.emit_at(now, &Event::HookStarted { hook });
        let time = own_time(hook, now, of_phase);
        let scope = self.engine.scope.of_hook(Some(time.cancel_at), hook.kind.is_of_the_start());
        let task = (self.engine.work)(hook, scope);
        let span = run.span(step, hook);
        run.tasks.begin(step, hook, task, span, now, time);
    }
}
