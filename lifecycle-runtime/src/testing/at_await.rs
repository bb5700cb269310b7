//! Test failures that panic at the line of the test.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Future that fails a test by a panic at the line of the `.await`.
///
/// `#[track_caller]` has no effect in an `async fn`, whose body runs only when it is polled. The
/// `.await` polls the future, so `poll` tracks its caller. Behind a `join!` or a `timeout` the
/// caller is a line of tokio's code: there the message itself has to say more.
pub(super) struct AtAwait<F>(Pin<Box<F>>);

impl<T, F: Future<Output = Result<T, String>>> AtAwait<F> {
    /// Returns a future that panics with the error of `future`, if there is one.
    pub(super) fn new(future: F) -> Self {
        Self(Box::pin(future))
    }
}

impl<T, F: Future<Output = Result<T, String>>> Future for AtAwait<F> {
    type Output = T;

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        match ready!(self.0.as_mut().poll(context)) {
            Ok(value) => Poll::Ready(value),
            Err(message) => panic!("{message}"),
        }
    }
}
