//! Executor of a plan. Steps that wait for nothing run at the same time, each within its time, and
//! the end of one hook keeps no other hook from running.

mod held;
mod phase_run;
mod phase_time;
mod running_tasks;
mod start;
mod stop;
mod traversal;

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::time::Instant;

use crate::engine::services::{RunningServices, ServiceHandle};
use crate::event::{Event, Events};
use crate::hook::HookMeta;
use crate::hook::runtime::HookRuntime;
use crate::hook::scope::Scope;
use crate::hook::task::Task;
use crate::plan::Plan;

use held::Held;
pub(crate) use phase_time::PhaseTime;
use phase_time::own_time;
pub(crate) use running_tasks::{Deadline, EndedTask, RunningTasks};
pub(crate) use start::{Interrupted, StartError};
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
    services: BTreeMap<usize, ServiceHandle>,
    /// Number of services that may still run.
    alive: RunningServices,
    held: Held,
    jitter: fn() -> f64,
    gate: Option<Arc<dyn StepGate>>,
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
        Self {
            started: vec![false; plan.hooks().len()],
            plan,
            scope,
            work,
            hooks,
            events,
            all_started: false,
            services: BTreeMap::new(),
            alive: RunningServices::default(),
            held: Held::default(),
            jitter,
            gate,
        }
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
        tasks: &mut RunningTasks,
        step: usize,
        hook: &'static HookMeta,
        of_phase: Deadline,
    ) {
        let now = Instant::now();
        self.events.emit_at(now, &Event::HookStarted { hook });
        let time = own_time(hook, now, of_phase);
        let scope = self.scope.of_hook(Some(time.cancel_at), hook.kind.is_of_the_start());
        let task = (self.work)(hook, scope);
        tasks.begin(step, hook, task, now, time);
    }
}
