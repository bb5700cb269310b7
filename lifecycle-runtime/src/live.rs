//! What is going on right now: the answer to "what is it waiting for?".

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::event::readable;
use crate::hook::HookMeta;
use crate::report::{Recorder, Standing};
use crate::state::State;

/// The hooks that are running, and whatever else says what it waits for.
#[derive(Clone)]
pub(crate) struct Live {
    recorder: Recorder,
    began: Instant,
    others: Arc<Mutex<Vec<Source>>>,
}

/// Says what goes on in this state, each with how long.
type Source = Arc<dyn Fn(State) -> Vec<String> + Send + Sync>;

impl Live {
    /// For a run that begins now and is recorded here.
    pub(crate) fn new(recorder: Recorder) -> Self {
        Self { recorder, began: Instant::now(), others: Arc::default() }
    }

    /// Asks this one, too.
    pub(crate) fn add(&self, source: impl Fn(State) -> Vec<String> + Send + Sync + 'static) {
        self.others().push(Arc::new(source));
    }

    /// Asks none of those that were added any more.
    pub(crate) fn forget_others(&self) {
        self.others().clear();
    }

    /// What a start or a stop waits for, the longest first: `close_db 2.1 s`. Requests keep no start waiting.
    pub(crate) fn waits(&self) -> Vec<String> {
        let state = self.recorder.standing().state;
        let others = if state >= State::Draining { self.of_others(state) } else { Vec::new() };
        // No start waits for a health check.
        let hooks = self.running().into_iter().filter(|(hook, _)| state >= State::Draining || !hook.kind.recurs());
        let hooks = hooks.map(|(hook, running)| format!("{} {}", hook.name, readable(running)));
        others.into_iter().chain(hooks).collect()
    }

    /// Everything that is going on, as lines: the state, and what runs in it.
    pub(crate) fn picture(&self) -> String {
        let Standing { state, since, cause } = self.recorder.standing();
        let cause = cause.map(|cause| format!(" ({cause})")).unwrap_or_default();
        let what = match state {
            State::Ready => "running",
            _ => "waiting for",
        };
        let took = readable(self.began.elapsed().saturating_sub(since));
        let hooks = self
            .running()
            .into_iter()
            .map(|(hook, running)| format!("{} ({}, #[{}]) {}", hook.name, hook.place(), hook.kind, readable(running)));
        let now: Vec<_> = self.of_others(state).into_iter().chain(hooks).collect();
        match &now[..] {
            [] => format!("{state}{cause} for {took}, {what} nothing"),
            now => format!("{state}{cause} for {took}, {what}:\n  {}", now.join("\n  ")),
        }
    }

    /// The hooks that run, the longest first, each with how long.
    fn running(&self) -> Vec<(&'static HookMeta, Duration)> {
        let elapsed = self.began.elapsed();
        let running = self.recorder.running().into_iter();
        let mut running: Vec<_> = running.map(|(hook, since)| (hook, elapsed.saturating_sub(since))).collect();
        running.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.name.cmp(b.0.name)));
        running
    }

    fn of_others(&self, state: State) -> Vec<String> {
        // Not under the lock: sources have locks of their own.
        let others = self.others().clone();
        others.iter().flat_map(|source| source(state)).collect()
    }

    /// Whether the start was a success.
    pub(crate) fn was_ready(&self) -> bool {
        self.recorder.was_ready()
    }

    fn others(&self) -> MutexGuard<'_, Vec<Source>> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
