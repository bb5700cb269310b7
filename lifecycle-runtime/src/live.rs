//! What is going on right now: the answer to "what is it waiting for?".

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::event::{Event, Observer, readable};
use crate::plan::Plan;
use crate::state::State;

/// The hooks that are running, and whatever else says what it waits for.
#[derive(Clone)]
pub(crate) struct Live {
    plan: Arc<Plan>,
    began: Instant,
    now: Arc<Mutex<Now>>,
}

struct Now {
    /// Per hook of the plan, since when it has been running.
    running: Vec<Option<Duration>>,
    others: Vec<Source>,
    was_ready: bool,
}

/// Says what it waits for, each with how long.
type Source = Arc<dyn Fn() -> Vec<String> + Send + Sync>;

impl Live {
    /// For the hooks of a plan, whose run begins now.
    pub(crate) fn new(plan: Arc<Plan>) -> Self {
        let now = Now { running: vec![None; plan.hooks().len()], others: Vec::new(), was_ready: false };
        Self { plan, began: Instant::now(), now: Arc::new(Mutex::new(now)) }
    }

    /// Asks this one, too.
    pub(crate) fn add(&self, source: impl Fn() -> Vec<String> + Send + Sync + 'static) {
        self.lock().others.push(Arc::new(source));
    }

    /// Asks none of those that were added any more.
    pub(crate) fn forget_others(&self) {
        self.lock().others.clear();
    }

    /// Everything that is going on, the longest first: `close_db 2.1 s`.
    pub(crate) fn waits(&self) -> Vec<String> {
        let elapsed = self.began.elapsed();
        let (mut running, others) = {
            let now = self.lock();
            let hooks = self.plan.hooks().iter().zip(&now.running);
            let running = hooks.filter_map(|(hook, since)| Some((hook.name, elapsed.saturating_sub((*since)?))));
            (running.collect::<Vec<_>>(), now.others.clone())
        };
        running.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        let hooks = running.into_iter().map(|(name, running)| format!("{name} {}", readable(running)));
        others.iter().flat_map(|source| source()).chain(hooks).collect()
    }

    /// Whether the start was a success.
    pub(crate) fn was_ready(&self) -> bool {
        self.lock().was_ready
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Live {
    fn on_event(&self, at: Duration, event: &Event) {
        let (hook, since) = match event {
            Event::HookStarted { hook } => (hook, Some(at)),
            Event::HookEnded { hook, .. } => (hook, None),
            Event::State(State::Ready) => return self.lock().was_ready = true,
            _ => return,
        };
        if let Some(position) = self.plan.position(hook.id) {
            self.lock().running[position] = since;
        }
    }
}
