//! The scope of a run: the values of its hooks and its stop signal.

use std::fmt;
use std::pin::pin;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::hook::id::{HookId, HookMap};
use crate::hook::service::Service;
use crate::hook::stop::{Stop, StopHandle};
use crate::hook::task::Value;

/// Values of one run's startup hooks, and its stop signal.
///
/// Cheap to clone: clones are the same scope. Types of your own take what they need out of it by
/// [`Inject`](crate::Inject).
#[derive(Clone)]
pub struct Scope {
    shared: Arc<ScopeInner>,
    /// Handle of a service on its run, in the scope of a service.
    service: Option<Service>,
    /// Stop signal of a hook, which knows its time, in the scope of a hook.
    stop: Option<Stop>,
}

struct ScopeInner {
    /// Number of the slot of each hook.
    index: Arc<HookMap<usize>>,
    slots: Vec<Slot>,
    /// Notification that a value was put in its place.
    stored: Notify,
    stop: Stop,
    handle: StopHandle,
}

/// The place of one hook's value: empty until the hook has started and again once the value is
/// dropped.
#[derive(Default)]
struct Slot(RwLock<Option<Value>>);

impl Scope {
    /// Returns a scope with a place for the value of each of these hooks.
    pub(crate) fn new(index: Arc<HookMap<usize>>, stop: Stop, handle: StopHandle) -> Self {
        let slots = std::iter::repeat_with(Slot::default).take(index.len()).collect();
        let shared = ScopeInner { index, slots, stored: Notify::new(), stop, handle };
        Self { shared: Arc::new(shared), service: None, stop: None }
    }

    /// Returns the same scope for one run of a service.
    pub(crate) fn of_service(&self, service: Service) -> Self {
        Self { shared: Arc::clone(&self.shared), service: Some(service), stop: None }
    }

    /// Returns the same scope for a hook, whose time is up at `until`, if it has any. `is_of_start`
    /// is set if the hook may begin before the stop.
    pub(crate) fn of_hook(&self, until: Option<Instant>, is_of_start: bool) -> Self {
        Self { stop: Some(self.shared.stop.of_hook(until, is_of_start)), ..self.clone() }
    }

    /// Returns the stop signal: that of the service or hook whose scope it is, or else the run's.
    #[must_use]
    pub fn stop(&self) -> Stop {
        match (&self.service, &self.stop) {
            (Some(service), _) => service.stop(),
            (None, Some(stop)) => stop.clone(),
            (None, None) => self.shared.stop.clone(),
        }
    }

    /// Returns the handle of the service whose scope it is.
    #[must_use]
    pub fn service(&self) -> Option<Service> {
        self.service.clone()
    }

    /// Returns the run's stop handle.
    #[must_use]
    pub fn stop_handle(&self) -> StopHandle {
        self.shared.handle.clone()
    }

    /// Returns whether a hook of this run has this identity.
    pub(crate) fn has(&self, id: HookId) -> bool {
        self.shared.index.contains_key(&id)
    }

    /// Returns the value of a hook, if it has one now.
    pub(crate) fn value(&self, id: HookId) -> Option<Value> {
        let slot = &self.shared.slots[*self.shared.index.get(&id)?];
        slot.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts the value of a hook in its place.
    pub(crate) fn store(&self, at: usize, value: Value) {
        self.shared.slots[at].replace(Some(value));
        self.shared.stored.notify_waiters();
    }

    /// Waits until all of these hooks have a value.
    pub(crate) async fn have_started(&self, hooks: &[HookId]) {
        loop {
            let mut stored = pin!(self.shared.stored.notified());
            stored.as_mut().enable();
            if hooks.iter().all(|&id| self.value(id).is_some()) {
                return;
            }
            stored.await;
        }
    }

    /// Returns whether the value in the place of a hook runs code of the user's when it is dropped.
    /// `false` if there is no value.
    pub(crate) fn drop_runs_code(&self, at: usize) -> bool {
        let place = self.shared.slots[at].0.read().unwrap_or_else(PoisonError::into_inner);
        place.as_ref().is_some_and(Value::drop_runs_code)
    }

    /// Empties the place of a hook, and returns the value. The caller drops it outside of the lock.
    pub(crate) fn take(&self, at: usize) -> Option<Value> {
        self.shared.slots[at].replace(None)
    }
}

impl Slot {
    fn replace(&self, value: Option<Value>) -> Option<Value> {
        let mut place = self.0.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *place, value)
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("hooks", &self.shared.slots.len()).finish_non_exhaustive()
    }
}
