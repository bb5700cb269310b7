//! What a hook may return: nothing, a value, or a `Result` of either.
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
// No supertraits: rustc would look at each by itself, and report each in words of its own.
pub trait HookValue: Sized {
    /// `None` for `()`, which nobody has to keep.
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

/// What a health check may return: nothing, or a `Result` of nothing. Any other value would say
/// something that nobody reads.
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

/// Whether a type is a `Result`: `ReturnType::<T>::IS_RESULT`.
pub struct ReturnType<T>(PhantomData<T>);

impl<T, E> ReturnType<Result<T, E>> {
    /// Found before the trait's constant of the same name, as inherent items are.
    pub const IS_RESULT: bool = true;
}

/// The answer for every other type.
pub trait PlainOutput {
    /// Not a `Result`.
    const IS_RESULT: bool = false;
}

impl<T> PlainOutput for ReturnType<T> {}

/// The return type `R`, and whether it is a `Result`.
pub struct Parts<R, const RESULT: bool = false>(PhantomData<R>);

/// A return type, taken apart.
pub trait HookOutput {
    /// The type as it is.
    type Returned;
    /// The value without the `Result`.
    type Value;
    /// The error; never made for a plain value.
    type Error;

    /// The value or the error.
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
