//! How a hook's arguments come about: the scope of a run, and the trait that takes a value out of it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use crate::dep::Dep;
use crate::error::BoxError;
use crate::hook::{Hook, HookId, HookMeta};
use crate::stop::{Stop, StopHandle};
use crate::task::Value;

/// What one run holds: the values of its startup hooks and its stop signal.
///
/// Cheap to clone: clones are the same scope.
#[derive(Clone)]
pub struct Scope {
    shared: Arc<Shared>,
}

struct Shared {
    slots: HashMap<HookId, Slot>,
    stop: Stop,
    handle: StopHandle,
}

/// The place of one hook's value: empty until the hook has started and again once the value is dropped.
#[derive(Default)]
struct Slot(RwLock<Option<Value>>);

impl Scope {
    /// A scope with a place for the value of each of these hooks.
    pub(crate) fn new(hooks: impl Iterator<Item = HookId>, stop: Stop, handle: StopHandle) -> Self {
        let slots = hooks.map(|id| (id, Slot::default())).collect();
        Self { shared: Arc::new(Shared { slots, stop, handle }) }
    }

    /// The value of a hook.
    ///
    /// # Errors
    ///
    /// The hook is not part of this run, has not started yet, or its value has been dropped already.
    pub fn dep<H: Hook>(&self) -> Result<Dep<H>, MissingValue> {
        let value = self
            .value(H::META.id)
            .ok_or(MissingValue { hook: H::META, known: self.shared.slots.contains_key(&H::META.id) })?;
        Ok(Dep::from_value(value))
    }

    /// The run's stop signal.
    #[must_use]
    pub fn stop(&self) -> Stop {
        self.shared.stop.clone()
    }

    /// The run's stop handle.
    #[must_use]
    pub fn stop_handle(&self) -> StopHandle {
        self.shared.handle.clone()
    }

    fn value(&self, id: HookId) -> Option<Value> {
        let slot = self.shared.slots.get(&id)?;
        slot.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts a hook's value in its place. Without a place the value is dropped.
    pub(crate) fn store(&self, id: HookId, value: Value) {
        let slot = self.shared.slots.get(&id);
        slot.and_then(|slot| slot.replace(Some(value)));
    }

    /// Empties a hook's place. The caller drops the value, outside of the lock.
    pub(crate) fn take(&self, id: HookId) -> Option<Value> {
        self.shared.slots.get(&id)?.replace(None)
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

/// The value of a hook was asked for where there is none.
#[derive(Debug, Clone, Copy)]
pub struct MissingValue {
    hook: &'static HookMeta,
    known: bool,
}

impl fmt::Display for MissingValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, place) = (self.hook.name(), self.hook.place());
        if self.known {
            write!(f, "hook `{name}` ({place}) has no value now: it has not started, or has been torn down")
        } else {
            write!(f, "hook `{name}` ({place}) is not part of this run")
        }
    }
}

impl std::error::Error for MissingValue {}

/// A type that a hook can take as an argument.
///
/// Implemented for [`Dep`], [`Stop`] and [`StopHandle`]. Implement it for types of your own to bundle what many hooks
/// take; name the hooks it uses in [`USES`](Self::USES), so that the plan knows of them:
///
/// ```
/// use lifecycle_runtime::{BoxError, Dep, Hook, HookMeta, Inject, Scope, on_startup};
///
/// #[on_startup]
/// async fn db() -> String { "a pool".into() }
/// #[on_startup]
/// async fn mailer() -> u32 { 25 }
///
/// struct Backend { db: Dep<db>, mailer: Dep<mailer> }
///
/// impl Inject for Backend {
///     const USES: &'static [&'static HookMeta] = &[db::META, mailer::META];
///     fn inject(scope: &Scope) -> Result<Self, BoxError> {
///         Ok(Self { db: scope.dep()?, mailer: scope.dep()? })
///     }
/// }
///
/// #[on_startup]
/// async fn import(backend: Backend) {
///     println!("{} {}", *backend.db, *backend.mailer);
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be injected into a hook",
    label = "not injectable",
    note = "a hook takes `Dep<hook>`, `Stop`, `StopHandle`, and types that implement `lifecycle_runtime::Inject`"
)]
pub trait Inject: Sized + Send + 'static {
    /// The hooks whose values this type takes. They run before the hook that takes it.
    const USES: &'static [&'static HookMeta] = &[];

    /// Takes the value out of the scope.
    ///
    /// # Errors
    ///
    /// Whatever the type needs is not there; the hook fails with this error.
    fn inject(scope: &Scope) -> Result<Self, BoxError>;
}

impl<H: Hook> Inject for Dep<H> {
    const USES: &'static [&'static HookMeta] = &[H::META];

    fn inject(scope: &Scope) -> Result<Self, BoxError> {
        Ok(scope.dep()?)
    }
}

impl Inject for Stop {
    fn inject(scope: &Scope) -> Result<Self, BoxError> {
        Ok(scope.stop())
    }
}

impl Inject for StopHandle {
    fn inject(scope: &Scope) -> Result<Self, BoxError> {
        Ok(scope.stop_handle())
    }
}
