//! `Dep<hook>`: the value of another hook.

use std::any::type_name;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use crate::hook::output::HookValue;
use crate::hook::scope::Scope;
use crate::hook::task::Value;
use crate::hook::{Hook, HookMeta};

/// A dependency on a startup hook, which dereferences to the hook's value.
///
/// As an argument of a hook it makes that hook run after `H` and, in the stop, before the teardown
/// of `H`. As an argument of an actix-web handler it is an extractor. Clones share the value.
///
/// The run drops the value when everything that uses it has ended. If something else still holds a
/// clone then, such as a task that goes on, the stop waits for it: up to a hundredth of the grace
/// period for all values together, which is 250 ms by default. After that,
/// [`run`](crate::Lifecycle::run) drops tasks that go on, together with the async runtime. A value
/// that is held even then, by a `static` for example, is named on stderr and in
/// [`Report::held`](crate::Report::held), and its drop doesn't run in the stop.
///
/// ```
/// use lifecycle_runtime::{Dep, on_shutdown, on_startup};
///
/// struct Pool { size: u32 }
///
/// #[on_startup]
/// async fn db() -> Pool { Pool { size: 4 } }
///
/// #[on_shutdown(of = db)]
/// async fn close_db(db: Dep<db>) { println!("closing {} connections", db.size); }
///
/// // A hook stays a plain function: a test calls it with a value of its own.
/// # async fn test() {
/// close_db(Dep::new(Pool { size: 1 })).await;
/// # }
/// ```
// No bound on `H`, and so no type that depends on one: a wrong `H` is then reported once, where it
// is injected, and not again for every mention of the type.
pub struct Dep<H> {
    value: Value,
    hook: PhantomData<fn() -> H>,
}

impl<H: Hook<Value: HookValue>> Dep<H> {
    /// Returns a dependency with a value of your own: for unit tests, which call hooks and handlers
    /// as plain functions.
    ///
    /// ```
    /// # use lifecycle_runtime::{Dep, on_startup};
    /// #[on_startup]
    /// async fn answer() -> u32 { 42 }
    ///
    /// assert_eq!(*Dep::<answer>::new(7), 7);
    /// ```
    #[must_use]
    pub fn new(value: H::Value) -> Self {
        Self::from_value(Value::new(value))
    }

    /// Returns the value itself, to keep or to hand to code that knows nothing of hooks.
    ///
    /// ```
    /// # use lifecycle_runtime::{Dep, on_startup};
    /// # use std::sync::Arc;
    /// #[on_startup]
    /// async fn answer() -> u32 { 42 }
    ///
    /// let value: Arc<u32> = Dep::<answer>::new(7).into_arc();
    /// ```
    #[must_use]
    pub fn into_arc(self) -> Arc<H::Value> {
        match H::Value::shared(self.value.into_shared()) {
            Some(value) => value,
            None => mismatch::<H>(),
        }
    }
}

impl<H> Dep<H> {
    pub(crate) fn from_value(value: Value) -> Self {
        Self { value, hook: PhantomData }
    }
}

impl<H: Hook> Deref for Dep<H> {
    type Target = H::Value;

    fn deref(&self) -> &H::Value {
        match self.value.get().downcast_ref() {
            Some(value) => value,
            None => mismatch::<H>(),
        }
    }
}

/// Panics about a value of the wrong type. This can't happen, as a value is only ever stored under
/// the hook whose function returned it.
#[cold]
fn mismatch<H: Hook>() -> ! {
    unreachable!("the value of `{}` is not a `{}`", H::META.name(), type_name::<H::Value>())
}

impl<H> Clone for Dep<H> {
    fn clone(&self) -> Self {
        Self { value: self.value.clone(), hook: PhantomData }
    }
}

impl<H: Hook<Value: fmt::Debug>> fmt::Debug for Dep<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Dep").field(&**self).finish()
    }
}

impl<H: Hook<Value: fmt::Display>> fmt::Display for Dep<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl Scope {
    /// Returns the value of a hook.
    ///
    /// # Errors
    ///
    /// The hook is not part of this run, has not started yet, or its value has been dropped
    /// already.
    pub fn dep<H: Hook>(&self) -> Result<Dep<H>, MissingValue> {
        let value = self
            .value(H::META.id)
            .ok_or(MissingValue { hook: H::META, known: self.has(H::META.id) })?;
        Ok(Dep::from_value(value))
    }
}

/// Error for a hook that has no value, or is not part of the run.
#[derive(Debug, Clone, Copy)]
pub struct MissingValue {
    hook: &'static HookMeta,
    known: bool,
}

impl MissingValue {
    /// Returns `true` if the hook is part of the run, and has a value at another time.
    pub(crate) fn is_of_run(&self) -> bool {
        self.known
    }
}

impl fmt::Display for MissingValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hook = self.hook.label();
        if self.known {
            write!(f, "{hook} has no value now: it has not started, or has been torn down")
        } else {
            write!(f, "{hook} is not part of this run")
        }
    }
}

impl std::error::Error for MissingValue {}
