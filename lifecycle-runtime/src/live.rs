//! What is going on right now: the answer to "what is it waiting for?".

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::event::{Event, Observer, readable};
use crate::hook::HookMeta;
use crate::id::HookMap;
use crate::state::State;

/// The hooks that are running, and whatever else says what it waits for.
#[derive(Clone, Default)]
pub(crate) struct Live(Arc<Mutex<Now>>);

#[derive(Default)]
struct Now {
    running: HookMap<(&'static HookMeta, Instant)>,
    others: Vec<Source>,
    was_ready: bool,
}

/// Says what it waits for, each with how long.
type Source = Arc<dyn Fn() -> Vec<String> + Send + Sync>;

impl Live {
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
        let (mut running, others) = {
            let now = self.lock();
            let running: Vec<_> = now.running.values().map(|(hook, since)| (hook.name, since.elapsed())).collect();
            (running, now.others.clone())
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
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Live {
    fn on_event(&self, _: Duration, event: &Event) {
        match event {
            Event::HookStarted { hook } => {
                self.lock().running.insert(hook.id, (hook, Instant::now()));
            }
            Event::HookEnded { hook, .. } => {
                self.lock().running.remove(&hook.id);
            }
            Event::State(State::Ready) => self.lock().was_ready = true,
            _ => {}
        }
    }
}
