//! Status of a service, from its start to its end for good. The supervisor publishes it, and the
//! steps of the start and the stop wait for it.
//!
//! ```text
//! Starting ──► Started ──► Stopping ──► Ended
//!     │           └───────────────────────▲
//!     └──────► NeverStarted
//! ```
//!
//! The events about the end are emitted once: by the step that waits for the service, which it does
//! while the service is `Starting` or `Stopping`, and else by the supervisor.

use tokio::sync::watch;

use crate::event::Outcome;

/// End of a service, or of one run of it.
#[derive(Debug, Clone)]
pub(crate) enum ServiceEnd {
    /// It ended by itself.
    Itself(Result<(), Outcome>),
    /// It was cancelled.
    Cancelled,
}

/// Status of a service.
#[derive(Debug)]
enum ServiceStatus {
    /// It has not been ready yet. The step of the start waits for it.
    Starting,
    /// It has been ready, or has ended well without a command to do so. No step waits for it.
    Started,
    /// The step of the stop waits for its end.
    Stopping,
    /// It had started, and has ended for good.
    Ended(ServiceEnd),
    /// It has ended for good, and had not started.
    NeverStarted(ServiceEnd),
}

/// Party that emits the events about the end of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EndReporter {
    /// The step that waits for the service.
    Step,
    /// The supervisor: no step waits.
    Supervisor,
}

/// Publisher of a service's status, which its supervisor holds. If it is dropped before the service
/// has ended, the service counts as cancelled.
pub(super) struct StatusPublisher(watch::Sender<ServiceStatus>);

/// View of a service's status, for the steps that wait for the service.
pub(super) struct StatusWatch(watch::Sender<ServiceStatus>);

/// Makes the status of a service that begins.
pub(super) fn starting() -> (StatusPublisher, StatusWatch) {
    let status = watch::Sender::new(ServiceStatus::Starting);
    (StatusPublisher(status.clone()), StatusWatch(status))
}

impl StatusPublisher {
    pub(super) fn is_starting(&self) -> bool {
        matches!(*self.0.borrow(), ServiceStatus::Starting)
    }

    /// Publishes that the service has started. Later calls do nothing.
    pub(super) fn start(&self) {
        self.0.send_if_modified(|status| {
            let is_starting = matches!(status, ServiceStatus::Starting);
            if is_starting {
                *status = ServiceStatus::Started;
            }
            is_starting
        });
    }

    /// Publishes that the service has ended for good, and returns the party that emits the events
    /// about it.
    pub(super) fn end(&self, end: ServiceEnd) -> EndReporter {
        let mut reporter = EndReporter::Supervisor;
        self.0.send_modify(|status| {
            let (next, party) = match status {
                ServiceStatus::Starting => (ServiceStatus::NeverStarted(end), EndReporter::Step),
                ServiceStatus::Stopping => (ServiceStatus::Ended(end), EndReporter::Step),
                _ => (ServiceStatus::Ended(end), EndReporter::Supervisor),
            };
            *status = next;
            reporter = party;
        });
        reporter
    }
}

impl Drop for StatusPublisher {
    fn drop(&mut self) {
        let has_ended = self.0.borrow().has_ended();
        if !has_ended {
            self.end(ServiceEnd::Cancelled);
        }
    }
}

impl StatusWatch {
    /// Waits until the service has started. If it ended before, its end is returned.
    pub(super) fn started(&self) -> impl Future<Output = ServiceEnd> + Send + use<> {
        let mut status = self.0.subscribe();
        async move {
            let reached = status.wait_for(|status| !matches!(status, ServiceStatus::Starting));
            match reached.await.as_deref() {
                Ok(ServiceStatus::NeverStarted(end)) => end.clone(),
                Ok(_) => ServiceEnd::Itself(Ok(())),
                Err(_) => ServiceEnd::Cancelled,
            }
        }
    }

    /// Begins to wait for the end of the service, and returns a future of it. Returns `None` if the
    /// service has ended already.
    pub(super) fn ended(&self) -> Option<impl Future<Output = ServiceEnd> + Send + use<>> {
        let mut is_over = false;
        self.0.send_if_modified(|status| {
            is_over = status.has_ended();
            if !is_over {
                *status = ServiceStatus::Stopping;
            }
            // Nobody waits for this status.
            false
        });
        if is_over {
            return None;
        }
        let mut status = self.0.subscribe();
        Some(async move {
            match status.wait_for(ServiceStatus::has_ended).await.as_deref() {
                Ok(ServiceStatus::Ended(end) | ServiceStatus::NeverStarted(end)) => end.clone(),
                Ok(_) | Err(_) => ServiceEnd::Cancelled,
            }
        })
    }
}

impl ServiceStatus {
    fn has_ended(&self) -> bool {
        matches!(self, Self::Ended(_) | Self::NeverStarted(_))
    }
}
