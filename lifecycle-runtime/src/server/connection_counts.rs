//! Counts of a worker's connections, which operators ask for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::connection::ConnectionKind;

/// Time within which a worker counts its connections. One that doesn't is blocked, or has ended; on
/// a machine that is too busy for it, its connections are only counted as a whole.
const COUNTED_WITHIN: Duration = Duration::from_millis(250);

/// Numbers of connections, by their protocol and state.
pub(super) type ConnectionKinds = BTreeMap<ConnectionKind, u64>;

/// Requests to a worker to count its connections. It answers all of them by one count. A worker
/// that is blocked has one command for it at most, however many requests come meanwhile. Clones
/// share the requests.
#[derive(Clone, Default)]
pub(super) struct CountRequests(Arc<Mutex<OpenRequests>>);

#[derive(Default)]
struct OpenRequests {
    /// Set while the worker has a command that it has not carried out.
    is_commanded: bool,
    answers: Vec<oneshot::Sender<ConnectionKinds>>,
}

impl CountRequests {
    /// Has the worker count its connections. `command` gives it the command to answer the requests,
    /// and returns `false` if it has ended. Returns `None` if it doesn't count them in time.
    pub(super) async fn count(
        &self,
        command: impl FnOnce(Self) -> bool,
    ) -> Option<ConnectionKinds> {
        let counted = self.request(command)?;
        timeout(COUNTED_WITHIN, counted).await.ok()?.ok()
    }

    fn request(
        &self,
        command: impl FnOnce(Self) -> bool,
    ) -> Option<oneshot::Receiver<ConnectionKinds>> {
        let mut open = self.lock();
        // Nobody waits for these any longer.
        open.answers.retain(|answer| !answer.is_closed());
        if !open.is_commanded {
            open.is_commanded = command(self.clone());
        }
        if !open.is_commanded {
            return None;
        }
        let (answer, counted) = oneshot::channel();
        open.answers.push(answer);
        Some(counted)
    }

    /// Counts the connections if somebody waits for that, and answers all requests.
    pub(super) fn answer(&self, count: impl FnOnce() -> ConnectionKinds) {
        let OpenRequests { mut answers, .. } = std::mem::take(&mut *self.lock());
        answers.retain(|answer| !answer.is_closed());
        let Some(last) = answers.pop() else { return };
        let counts = count();
        for answer in answers {
            let _ = answer.send(counts.clone());
        }
        let _ = last.send(counts);
    }

    fn lock(&self) -> MutexGuard<'_, OpenRequests> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures_util::future::join;

    use super::*;

    const KIND: ConnectionKind = ConnectionKind { protocol: "http/1.1", state: "idle" };

    /// Worker whose commands and counts are counted.
    #[derive(Default)]
    struct CountingWorker {
        requests: CountRequests,
        commands: Cell<u32>,
        counts: Cell<u32>,
    }

    impl CountingWorker {
        async fn count(&self) -> Option<ConnectionKinds> {
            let command = |_| {
                self.commands.set(self.commands.get() + 1);
                true
            };
            self.requests.count(command).await
        }

        fn carry_out(&self) {
            self.requests.answer(|| {
                self.counts.set(self.counts.get() + 1);
                [(KIND, 7)].into()
            });
        }
    }

    #[tokio::test(start_paused = true)]
    async fn requests_side_by_side_share_one_command_and_one_count() {
        let worker = CountingWorker::default();
        let counts = join(worker.count(), worker.count());
        let ((one, other), ()) = join(counts, async { worker.carry_out() }).await;
        assert_eq!(one, Some([(KIND, 7)].into()));
        assert_eq!(one, other);
        assert_eq!((worker.commands.get(), worker.counts.get()), (1, 1));
        join(worker.count(), async { worker.carry_out() }).await;
        assert_eq!((worker.commands.get(), worker.counts.get()), (2, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_that_was_blocked_counts_only_for_those_who_still_wait() {
        let worker = CountingWorker::default();
        for _ in 0..100 {
            assert_eq!(worker.count().await, None);
        }
        assert_eq!(worker.requests.lock().answers.len(), 1, "those that waited are forgotten");
        assert_eq!(worker.commands.get(), 1);
        worker.carry_out();
        assert_eq!(worker.counts.get(), 0);
        let (count, ()) = join(worker.count(), async { worker.carry_out() }).await;
        assert!(count.is_some());
        assert_eq!((worker.commands.get(), worker.counts.get()), (2, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_that_has_ended_is_not_waited_for() {
        let requests = CountRequests::default();
        assert!(requests.request(|_| false).is_none());
        // The next one asks again.
        assert!(requests.request(|_| true).is_some());
    }
}
