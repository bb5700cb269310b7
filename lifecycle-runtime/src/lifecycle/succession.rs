//! Place of a run among processes that take over from each other, by upgrades in place.

use std::io;
use std::path::Path;
use std::sync::Arc;
#[cfg(unix)]
use std::sync::OnceLock;
use std::time::Duration;

#[cfg(unix)]
use super::exclusive::ExclusiveGate;
use super::pid_file::PidFile;
use crate::engine::executor::StepGate;
use crate::event::StartFailure;
use crate::hook::stop::{StopCause, StopHandle};
use crate::plan::Plan;
#[cfg(unix)]
use crate::process::upgrade::{Predecessor, StartedProgram, SuccessorMessage, UpgradeAttempt};
use crate::server::Handover;
#[cfg(unix)]
use crate::server::predecessor_channel;

/// Predecessor of a run, if it has one, with what goes from one process to the next.
#[derive(Default)]
pub(super) struct Succession {
    pub(super) handover: Handover,
    #[cfg(unix)]
    predecessor: Option<Arc<Predecessor>>,
    /// Upgrade to the successor, kept until the run is over: then the successor learns of that.
    #[cfg(unix)]
    successor: OnceLock<UpgradeAttempt>,
    pid_file: Option<PidFile>,
}

impl Succession {
    /// Finds the predecessor of the process, if there is one that no earlier run has found. If it
    /// gives the upgrade up, the run stops.
    ///
    /// # Errors
    ///
    /// The system's error, if it refuses a thread or a descriptor.
    #[cfg(unix)]
    pub(super) fn begin(handle: &StopHandle) -> io::Result<Self> {
        // Later the working directory may be another one.
        StartedProgram::of_process();
        let Some(channel) = predecessor_channel() else { return Ok(Self::default()) };
        let handover = Handover::from_predecessor();
        let (handle, left) = (handle.clone(), handover.clone());
        let predecessor = Predecessor::new(channel, move || {
            // Whatever happens now, the listeners are the predecessor's.
            left.leave();
            handle.ask(StopCause::UpgradeGivenUp);
        })?;
        Ok(Self { handover, predecessor: Some(Arc::new(predecessor)), ..Self::default() })
    }

    #[cfg(not(unix))]
    #[allow(clippy::unnecessary_wraps, reason = "as on Unix")]
    pub(super) fn begin(_handle: &StopHandle) -> io::Result<Self> {
        Ok(Self::default())
    }

    /// Tells the predecessor that this process is its successor, and how long its start may take.
    #[cfg_attr(not(unix), allow(clippy::unused_self, reason = "only Unix has upgrades"))]
    pub(super) fn starts(&self, startup_timeout: Duration) {
        #[cfg(unix)]
        self.tell(&SuccessorMessage::Starting {
            startup_timeout,
            process: Some(std::process::id()),
        });
        #[cfg(not(unix))]
        let _ = startup_timeout;
    }

    /// Keeps the upgrade to a successor that serves.
    #[cfg(unix)]
    pub(super) fn keep(&self, successor: UpgradeAttempt) {
        let _ = self.successor.set(successor);
    }

    /// Returns the gate for exclusive hooks of this plan; `None` if nothing holds them back.
    pub(super) fn gate(&self, plan: &Arc<Plan>) -> Option<Arc<dyn StepGate>> {
        #[cfg(unix)]
        if let Some(predecessor) = &self.predecessor
            && plan.hooks().iter().any(|hook| hook.is_exclusive)
        {
            return Some(Arc::new(ExclusiveGate::new(plan, predecessor)));
        }
        #[cfg(not(unix))]
        let _ = plan;
        None
    }

    /// Tells the predecessor that the start has failed.
    #[cfg_attr(not(unix), allow(clippy::unused_self, reason = "only Unix has upgrades"))]
    pub(super) fn failed(&self, failure: &StartFailure) {
        #[cfg(unix)]
        self.tell(&SuccessorMessage::Failed { error: failure.to_string() });
        #[cfg(not(unix))]
        let _ = failure;
    }

    #[cfg(unix)]
    fn tell(&self, message: &SuccessorMessage) {
        if let Some(predecessor) = &self.predecessor {
            predecessor.tell(message);
        }
    }

    /// Writes the PID file. That of a successor appears when it takes over.
    ///
    /// # Errors
    ///
    /// The system's error.
    pub(super) fn write_pid_file(&mut self, path: &Path) -> io::Result<()> {
        let file = PidFile::write(path, &self.handover)?;
        if self.handover.is_own() {
            file.show()?;
        }
        self.pid_file = Some(file);
        Ok(())
    }

    /// Returns the predecessor, if there is one.
    #[cfg(unix)]
    pub(super) fn predecessor(&self) -> Option<&Predecessor> {
        self.predecessor.as_deref()
    }

    /// Returns the PID file, if there is to be one.
    #[cfg(unix)]
    pub(super) fn pid_file(&self) -> Option<&PidFile> {
        self.pid_file.as_ref()
    }
}
