//! Return types of hooks: nothing, a value, or a `Result` of either.
//!
//! A macro sees only tokens: it can't know that `sqlx::Result<Pool>` or an alias of the user's is a
//! `Result`. The compiler can: [`ReturnType`] answers with a constant, and the constant picks the
//! implementation of [`HookOutput`].

use std::any::{Any, TypeId};
use std::convert::Infallible;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::hook::error::BoxError;

/// A value that hooks can share: anything that is `Send + Sync + 'static`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be the value of a hook",
    label = "must be `Send + Sync + 'static`",
    note = "other hooks and request handlers share the value between threads"
)]
// No supertraits: rustc would look at each by itself, and report each in its own words.
pub trait HookValue: Sized {
    /// Returns the value for sharing; `None` for `()`, which nobody has to keep.
    #[doc(hidden)]
    fn share(self) -> Option<SharedValue>;
    #[doc(hidden)]
    fn shared(value: SharedValue) -> Option<Arc<Self>>;
}

/// A value of any type, shared between threads.
pub(crate) type SharedValue = Arc<dyn Any + Send + Sync>;

#[diagnostic::do_not_recommend]
impl<T: Send + Sync + 'static> HookValue for T {
    fn share(self) -> Option<SharedValue> {
        (TypeId::of::<T>() != TypeId::of::<()>()).then(|| Arc::new(self) as SharedValue)
    }

    fn shared(value: SharedValue) -> Option<Arc<Self>> {
        value.downcast().ok()
    }
}

/// Value that a health check may return, plain or in a `Result`: `()`. Nobody would read any other.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be the result of a health check",
    label = "must be `Result<(), E>`",
    note = "only an `Err` makes a check fail: `if ok {{ Ok(()) }} else {{ Err(\"what is wrong\") \
            }}`"
)]
pub trait Verdict {}

#[diagnostic::do_not_recommend]
impl Verdict for () {}

/// An error that a hook may return: anything that turns into a boxed
/// `std::error::Error + Send + Sync`.
///
/// Errors of `thiserror`, `anyhow` and `std` do, and so do `String` and `&'static str`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be the error of a hook",
    label = "must turn into `Box<dyn std::error::Error + Send + Sync>`",
    note = "implement `std::error::Error` for it, or return `anyhow::Result`"
)]
pub trait HookError {
    #[doc(hidden)]
    fn boxed(self) -> BoxError;
}

#[diagnostic::do_not_recommend]
impl<E: Into<BoxError>> HookError for E {
    fn boxed(self) -> BoxError {
        self.into()
    }
}

/// Return type with a constant that is set if it is a `Result`: `ReturnType::<T>::IS_RESULT`.
pub struct ReturnType<T>(PhantomData<T>);

impl<T, E> ReturnType<Result<T, E>> {
    /// Set if the type is a `Result`, as here. The compiler finds this constant before that of the
    /// trait, as it is an inherent item.
    pub const IS_RESULT: bool = true;
}

/// Fallback of [`ReturnType`] for every type that is not a `Result`.
pub trait PlainOutput {
    /// Set if the type is a `Result`, which it is not here.
    const IS_RESULT: bool = false;
}

impl<T> PlainOutput for ReturnType<T> {}

/// Return type `R`, marked if it is a `Result`.
pub struct Parts<R, const RESULT: bool = false>(PhantomData<R>);

/// Return type of a hook, taken apart into value and error.
pub trait HookOutput {
    /// Whole type, as the function returns it.
    type Returned;
    /// Type of the value, without the `Result`.
    type Value;
    /// Type of the error. For a plain value it is one that is never made.
    type Error;

    /// Returns the value or the error.
    ///
    /// # Errors
    ///
    /// The error that the function returned.
    fn into_result(returned: Self::Returned) -> Result<Self::Value, Self::Error>;
}

impl<T> HookOutput for Parts<T, false> {
    type Returned = T;
    type Value = T;
    type Error = Infallible;

    fn into_result(returned: T) -> Result<T, Infallible> {
        Ok(returned)
    }
}

impl<T, E> HookOutput for Parts<Result<T, E>, true> {
    type Returned = Result<T, E>;
    type Value = T;
    type Error = E;

    fn into_result(returned: Result<T, E>) -> Result<T, E> {
        returned
    }
}
