//! End of a WebSocket's handler, after that of its connection.

use std::future::pending;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::{Handler, WebSocket};

impl WebSocket {
    /// Waits for the end of the handler, after that of its connection. First waits until the
    /// handler has worked on the bytes that it has got. Then waits on only if the handler learns of
    /// the end within `patience`.
    pub(in crate::server) async fn handler_ended(&self, patience: Duration) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
        // Nothing is on its way any more.
        self.answering_since.set(None);
        self.is_stuck.set(false);
        while self.has_work() && !self.has_answered(Instant::now()) {
            let answered = async {
                match self.answered_by() {
                    Some(at) => sleep_until(at).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = self.handler_changed.notified() => {}
                () = answered => {}
            }
        }
        let learns = self.wait_for(|handler| matches!(handler, Handler::Ending | Handler::Gone));
        if tokio::time::timeout(patience, learns).await.is_ok() {
            self.wait_for(|handler| handler == Handler::Gone).await;
        }
    }

    async fn wait_for(&self, condition: impl Fn(Handler) -> bool) {
        while !condition(self.handler.get()) {
            self.handler_changed.notified().await;
        }
    }
}
