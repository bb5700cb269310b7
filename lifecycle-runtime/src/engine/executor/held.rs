//! Values that others still hold when it is time to drop them. The others are tasks that go on, a
//! `static`, or the value of another hook.
//!
//! A value is dropped with its last owner, wherever that is. The stop keeps its own share while it
//! waits for the others, so that the drop runs here, in the time of the stop, and before the
//! teardown of what the value uses. Some values are never released, and on purpose. So the stop
//! waits for all of them together no longer than its patience, and reports the rest as held.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use slab::Slab;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tracing::Span;

use super::{Deadline, EndedTask, Executor, RunningTasks};
use crate::event::{Event, Limit, Outcome, Wait};
use crate::hook::HookMeta;
use crate::hook::stop::{Asked, hurried};
use crate::hook::task::{Task, Value};
use crate::observe::trace::span;

/// Shortest and longest pause between two looks at a value's other owners: nothing tells when one
/// of them releases it. The owners are in this process. A longer pause makes the stop longer by as
/// much, a shorter one costs processor time.
const PAUSE: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(20)];

/// Values that others hold, and the time for which the stop waits for them.
#[derive(Default)]
pub(super) struct Held {
    /// Time for which the stop waits for all of them together.
    patience: Duration,
    until: Option<Instant>,
    /// Hooks whose values are waited for.
    awaited: Awaited,
    /// Values that were not released in time, by the place of their hook.
    values: Vec<(usize, Value)>,
}

/// Hooks whose values are waited for or being dropped, each with its number of other owners. Clones
/// share the hooks.
#[derive(Clone, Default)]
pub(crate) struct Awaited(Arc<Mutex<Slab<(&'static HookMeta, usize)>>>);

impl Awaited {
    /// Returns the awaited values.
    pub(crate) fn now(&self) -> Vec<Wait> {
        self.lock().iter().map(|(_, &(hook, others))| Wait::Value { hook, others }).collect()
    }

    fn enter(&self, hook: &'static HookMeta, others: usize) -> AwaitedEntry {
        let key = self.lock().insert((hook, others));
        AwaitedEntry { awaited: self.clone(), key }
    }

    fn lock(&self) -> MutexGuard<'_, Slab<(&'static HookMeta, usize)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Entry among the awaited values, which is removed when this is dropped.
struct AwaitedEntry {
    awaited: Awaited,
    key: usize,
}

impl AwaitedEntry {
    fn set_others(&self, others: usize) {
        self.awaited.lock()[self.key].1 = others;
    }
}

impl Drop for AwaitedEntry {
    fn drop(&mut self) {
        self.awaited.lock().remove(self.key);
    }
}

impl Executor {
    /// Sets the time for which the stop waits for the owners of all values together. Without this
    /// call it doesn't wait.
    pub(crate) fn set_patience(&mut self, patience: Duration) -> Awaited {
        self.held.patience = patience;
        self.held.awaited.clone()
    }

    /// Drops the value of a hook, or waits for its other owners. Returns `false` if there is
    /// nothing to wait for.
    pub(super) fn begin_to_drop(
        &mut self,
        tasks: &mut RunningTasks,
        step: usize,
        at: usize,
        share: Deadline,
        asked: &watch::Receiver<Asked>,
    ) -> bool {
        let hook = self.engine.plan.hooks()[at];
        let Some(value) = self.engine.scope.take(at).filter(Value::needs_drop) else {
            return false;
        };
        let now = Instant::now();
        if value.others() == 0 {
            tasks.begin(step, hook, self.drop_of(hook, value), span(hook), now, share);
            return true;
        }
        let until = *self.held.until.get_or_insert(now + self.held.patience);
        // Half of the time is left for the drop itself.
        let until = until.min(now + share.cancel_at.saturating_duration_since(now) / 2);
        if until <= now || asked.borrow().hurry {
            self.held.values.push((at, value));
            return false;
        }
        let entry = self.held.awaited.enter(hook, value.others());
        let mut asked = asked.clone();
        let wait = async move {
            tokio::select! {
                () = hurried(&mut asked) => {}
                () = wait_for_release(&value, &entry, until) => {}
            }
            Ok(value)
        };
        tasks.begin(step, hook, Task::future(wait), Span::none(), now, share);
        true
    }

    /// Drops a value that has been waited for, as a task of the same step, or keeps it if it is
    /// still held. Returns the ended task unless the drop follows it.
    pub(super) fn drop_awaited(
        &mut self,
        tasks: &mut RunningTasks,
        at: usize,
        share: Deadline,
        mut ended: EndedTask,
    ) -> Option<EndedTask> {
        let Some(value) =
            ended.result.as_mut().ok().filter(|value| value.needs_drop()).map(Value::take)
        else {
            return Some(ended);
        };
        if value.others() == 0 {
            let hook = self.engine.plan.hooks()[at];
            tasks.begin(
                ended.step,
                hook,
                self.drop_of(hook, value),
                span(hook),
                Instant::now(),
                share,
            );
            return None;
        }
        self.held.values.push((at, value));
        Some(ended)
    }

    /// Drops the values that have been released meanwhile, and emits an event for each that is
    /// still held.
    pub(crate) async fn settle(&mut self, deadline: Instant) {
        let held = std::mem::take(&mut self.held.values);
        if held.is_empty() {
            return;
        }
        let mut tasks = RunningTasks::new(held.len(), &self.engine.hooks);
        let places: Vec<_> = held.iter().map(|(at, _)| *at).collect();
        let share = Deadline { cancel_at: deadline, limit: Limit::Grace, abandon_at: deadline };
        for (step, (at, value)) in held.into_iter().enumerate() {
            let hook = self.engine.plan.hooks()[at];
            match value.others() {
                0 => tasks.begin(
                    step,
                    hook,
                    self.drop_of(hook, value),
                    span(hook),
                    Instant::now(),
                    share,
                ),
                others => self.emit_held(hook, value, others),
            }
        }
        while let Some(ended) = tasks.next().await {
            self.drop_ended(places[ended.step], ended.result.err());
        }
    }

    /// Does what `settle` does on this thread, where there is no async runtime any more.
    pub(crate) fn settle_here(&mut self) {
        for (at, value) in std::mem::take(&mut self.held.values) {
            let hook = self.engine.plan.hooks()[at];
            match value.others() {
                0 => {
                    let _entry = self.held.awaited.enter(hook, 0);
                    let dropped = catch_unwind(AssertUnwindSafe(|| drop(value)));
                    self.drop_ended(at, dropped.err().map(|panic| Outcome::panicked(&*panic)));
                }
                others => self.emit_held(hook, value, others),
            }
        }
    }

    /// Returns `true` if no value is held.
    pub(crate) fn holds_nothing(&self) -> bool {
        self.held.values.is_empty()
    }

    /// Returns the task that drops a value on the blocking pool: a drop may block.
    fn drop_of(&self, hook: &'static HookMeta, value: Value) -> Task {
        let entry = self.held.awaited.enter(hook, 0);
        Task::blocking(move || {
            let _entry = entry;
            drop(value);
            Ok(Value::new(()))
        })
    }

    fn emit_held(&self, hook: &'static HookMeta, value: Value, others: usize) {
        self.engine.events.emit(&Event::ValueHeld { hook, others });
        // The last other owner may have released it just now, and then the drop runs here.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(value)));
    }

    pub(super) fn drop_ended(&self, at: usize, failure: Option<Outcome>) {
        if let Some(outcome) = failure.filter(Outcome::is_failure) {
            self.engine
                .events
                .emit(&Event::DropFailed { hook: self.engine.plan.hooks()[at], outcome });
        }
    }
}

/// Waits until nobody else holds this value, at most until `until`.
async fn wait_for_release(value: &Value, entry: &AwaitedEntry, until: Instant) {
    let [mut pause, longest] = PAUSE;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let others = value.others();
        if others == 0 || left.is_zero() {
            return;
        }
        entry.set_others(others);
        sleep(pause.min(left)).await;
        pause = (pause * 2).min(longest);
    }
}
