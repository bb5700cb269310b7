//! Commands to a service: its supervisor carries them out, and its stop signal shows them.

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::hook::outcome::Limit;

/// Command to a service. Commands only ever advance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum ServiceCommand {
    /// The service runs: it has been told nothing yet.
    #[default]
    Run,
    /// The service should end.
    Stop,
    /// The service is cancelled.
    Cancel,
}

/// End of the time of a service for which nobody waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expiry {
    pub(crate) at: Instant,
    /// Limit that the service has reached then.
    pub(crate) limit: Limit,
}

/// Latest command to a service, with its times.
#[derive(Debug, Clone, Copy, Default)]
struct CommandState {
    command: ServiceCommand,
    /// End of the time to obey; known once the service is told to stop.
    until: Option<Instant>,
    /// End of the service's time if nobody waits for it.
    expiry: Option<Expiry>,
}

/// Sender of the commands to a service. Clones reach the same service. When the last one is
/// dropped, the service is cancelled.
#[derive(Debug, Clone, Default)]
pub(crate) struct CommandSender(watch::Sender<CommandState>);

impl CommandSender {
    pub(crate) fn receiver(&self) -> CommandReceiver {
        CommandReceiver(self.0.subscribe())
    }

    /// Tells the service to stop, for which it has time until `until`, if that is known.
    pub(crate) fn stop(&self, until: Option<Instant>) {
        self.give(ServiceCommand::Stop, until);
    }

    /// Cancels the service.
    pub(crate) fn cancel(&self) {
        self.give(ServiceCommand::Cancel, None);
    }

    /// Sets the end of the time that the service has if nobody waits for it.
    pub(crate) fn set_expiry(&self, expiry: Option<Expiry>) {
        self.0.send_modify(|state| state.expiry = expiry);
    }

    /// Gives a command, unless a later one has been given.
    fn give(&self, command: ServiceCommand, until: Option<Instant>) {
        self.0.send_if_modified(|state| {
            let is_later = state.command < command;
            state.command = command.max(state.command);
            state.until = until.or(state.until);
            is_later
        });
    }
}

/// Receiver of the commands to a service. Clones receive the same commands.
#[derive(Debug, Clone)]
pub(crate) struct CommandReceiver(watch::Receiver<CommandState>);

impl CommandReceiver {
    /// Waits until this command or a later one has been given, or the sender is gone: then all is
    /// over.
    ///
    /// Cancel safe.
    pub(crate) async fn received(&self, command: ServiceCommand) {
        let _ = self.0.clone().wait_for(|state| state.command >= command).await;
    }

    /// Returns `true` if the service has been told to stop, or the sender is gone.
    pub(crate) fn has_stopped(&self) -> bool {
        self.0.borrow().command >= ServiceCommand::Stop || self.0.has_changed().is_err()
    }

    /// Returns the end of the time to obey.
    pub(crate) fn until(&self) -> Option<Instant> {
        self.0.borrow().until
    }

    /// Waits until the time is up of a service for which nobody waits, and returns the end of its
    /// time. Waits forever if the sender is gone.
    ///
    /// Cancel safe.
    pub(crate) async fn expired(&self) -> Expiry {
        let mut states = self.0.clone();
        loop {
            let expiry = states.borrow_and_update().expiry;
            tokio::select! {
                biased;
                expiry = passed(expiry) => return expiry,
                changed = states.changed() => if changed.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        }
    }
}

/// Waits until an expiry has come. Waits forever if there is none.
async fn passed(expiry: Option<Expiry>) -> Expiry {
    match expiry {
        Some(expiry) => {
            sleep_until(expiry.at).await;
            expiry
        }
        None => std::future::pending().await,
    }
}
