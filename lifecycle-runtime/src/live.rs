//! What is going on right now: the answer to "what is it waiting for?".

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::event::readable;
use crate::report::Recorder;

/// The hooks that are running, and whatever else says what it waits for.
#[derive(Clone)]
pub(crate) struct Live {
    recorder: Recorder,
    began: Instant,
    others: Arc<Mutex<Vec<Source>>>,
}

/// Says what it waits for, each with how long.
type Source = Arc<dyn Fn() -> Vec<String> + Send + Sync>;

impl Live {
    /// For a run that begins now and is recorded here.
    pub(crate) fn new(recorder: Recorder) -> Self {
        Self { recorder, began: Instant::now(), others: Arc::default() }
    }

    /// Asks this one, too.
    pub(crate) fn add(&self, source: impl Fn() -> Vec<String> + Send + Sync + 'static) {
        self.others().push(Arc::new(source));
    }

    /// Asks none of those that were added any more.
    pub(crate) fn forget_others(&self) {
        self.others().clear();
    }

    /// Everything that is going on, the longest first: `close_db 2.1 s`.
    pub(crate) fn waits(&self) -> Vec<String> {
        let elapsed = self.began.elapsed();
        let others = self.others().clone();
        let running = self.recorder.running().into_iter();
        let mut running: Vec<_> = running.map(|(hook, since)| (hook.name, elapsed.saturating_sub(since))).collect();
        running.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        let hooks = running.into_iter().map(|(name, running)| format!("{name} {}", readable(running)));
        others.iter().flat_map(|source| source()).chain(hooks).collect()
    }

    /// Whether the start was a success.
    pub(crate) fn was_ready(&self) -> bool {
        self.recorder.was_ready()
    }

    fn others(&self) -> MutexGuard<'_, Vec<Source>> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
