//! What a hook may return: nothing, a value, or a `Result` of either.
//!
//! A macro sees only tokens: it can't know that `sqlx::Result<Pool>` or an alias of the user's is a `Result`. The
//! compiler can: [`Probe`] answers with a constant, and the constant picks the implementation of [`Output`].

use std::marker::PhantomData;

use crate::error::BoxError;

/// A value that hooks can share: anything that is `Send + Sync + 'static`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be the value of a hook",
    label = "must be `Send + Sync + 'static`",
    note = "other hooks and request handlers share the value between threads"
)]
pub trait HookValue: Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Send + Sync + 'static> HookValue for T {}

/// An error that a hook may return: anything that turns into a boxed `std::error::Error + Send + Sync`.
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

/// Whether a type is a `Result`: `Probe::<T>::IS_RESULT`.
pub struct Probe<T>(PhantomData<T>);

impl<T, E> Probe<Result<T, E>> {
    /// Found before the trait's constant of the same name, as inherent items are.
    pub const IS_RESULT: bool = true;
}

/// The answer for every other type.
pub trait PlainOutput {
    /// Not a `Result`.
    const IS_RESULT: bool = false;
}

impl<T> PlainOutput for Probe<T> {}

/// A return type, taken apart. `RESULT` says whether it is a `Result`.
pub trait Output<const RESULT: bool> {
    /// The value without the `Result`.
    type Value;
    /// The error; never made for a plain value.
    type Error;
    /// The value or the error.
    ///
    /// # Errors
    ///
    /// The error.
    fn into_result(self) -> Result<Self::Value, Self::Error>;
}

impl<T> Output<false> for T {
    type Value = T;
    type Error = std::convert::Infallible;
    fn into_result(self) -> Result<T, Self::Error> {
        Ok(self)
    }
}

impl<T, E> Output<true> for Result<T, E> {
    type Value = T;
    type Error = E;
    fn into_result(self) -> Self {
        self
    }
}
