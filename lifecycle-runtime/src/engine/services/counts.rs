//! Counts of the services that run and of those that have ended well.

use tokio::sync::watch;

/// Number of services that may still run, and number of those that have ended well. Clones share
/// the numbers.
#[derive(Clone, Default)]
pub(crate) struct RunningServices(watch::Sender<ServiceCounts>);

#[derive(Default)]
struct ServiceCounts {
    alive: usize,
    done: usize,
}

/// Guard that counts a service among those that may still run, until it is dropped.
pub(crate) struct RunningServiceGuard(RunningServices);

impl RunningServices {
    pub(crate) fn guard(&self) -> RunningServiceGuard {
        self.0.send_modify(|counts| counts.alive += 1);
        RunningServiceGuard(self.clone())
    }

    /// Waits until no service may run any more and at least one has ended well.
    pub(crate) async fn all_done(&self) {
        // This can't fail, as `self` keeps the sender.
        let _ = self.0.subscribe().wait_for(|counts| counts.alive == 0 && counts.done > 0).await;
    }
}

impl RunningServiceGuard {
    /// Notes that the service has ended well.
    pub(super) fn done(&self) {
        self.0.0.send_modify(|counts| counts.done += 1);
    }
}

impl Drop for RunningServiceGuard {
    fn drop(&mut self) {
        self.0.0.send_modify(|counts| counts.alive -= 1);
    }
}
