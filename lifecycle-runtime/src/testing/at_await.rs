//! Failures of a test that show at its own line.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Future that fails a test by a panic at the line of the `.await`.
///
/// `#[track_caller]` has no effect in an `async fn`, whose body runs when it is polled. What polls
/// a future is the `.await`: so it is `poll` that tracks its caller. Behind a `join!` or a
/// `timeout` that is the line of tokio's code, and the text has to say more.
pub(super) struct AtAwait<F>(Pin<Box<F>>);

impl<T, F: Future<Output = Result<T, String>>> AtAwait<F> {
    /// The error is the message of the panic.
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
