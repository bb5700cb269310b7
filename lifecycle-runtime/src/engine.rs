//! Engine that runs the hooks of a plan in their order, supervises services, and repeats health
//! checks.

pub(crate) mod executor;
pub(crate) mod recurring;
pub(crate) mod services;

use std::sync::Arc;

use tokio::sync::watch;

use crate::event::Events;
use crate::hook::HookMeta;
use crate::hook::runtime::HookRuntime;
use crate::hook::scope::Scope;
use crate::hook::stop::Asked;
use crate::hook::task::Task;
use crate::plan::Plan;
use executor::StepGate;

/// Function that makes the task of a hook: the hook's own `run`, except in tests.
pub(crate) type Work = Arc<dyn Fn(&'static HookMeta, Scope) -> Task + Send + Sync>;

/// Parts of a run that its executor, its supervisors and its recurring hooks share.
pub(crate) struct Engine {
    pub(crate) plan: Arc<Plan>,
    pub(crate) scope: Scope,
    /// Function that makes the task of a hook.
    pub(crate) work: Work,
    pub(crate) hooks: HookRuntime,
    pub(crate) events: Events,
    /// Function that returns a number from 0 to 1, another one on each call.
    pub(crate) jitter: fn() -> f64,
    /// Gate that decides when steps that wait for nothing may begin.
    pub(crate) gate: Option<Arc<dyn StepGate>>,
}

impl Engine {
    /// Returns a receiver of the requests to stop the run.
    pub(crate) fn asked(&self) -> watch::Receiver<Asked> {
        self.scope.stop_handle().asked()
    }
}
