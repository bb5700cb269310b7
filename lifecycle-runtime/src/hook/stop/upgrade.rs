//! Requests for an upgrade in place, and the reasons for which there is none.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::hook::state::State;

/// Reason for which an upgrade in place has failed. The process goes on as before.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum UpgradeError {
    /// The run is not ready: it is still starting, or stops.
    #[non_exhaustive]
    NotReady {
        /// State of the run.
        state: State,
    },
    /// Another upgrade is under way.
    UnderWay,
    /// The system is none of the Unix family, or the run is one of a test.
    Unsupported,
    /// The process is the first one of a container, which ends with it.
    FirstProcess,
    /// The program can't be started.
    #[non_exhaustive]
    NotStarted {
        /// Path of the program.
        program: PathBuf,
        /// The system's error.
        error: String,
    },
    /// The program that was started has not said that it is a successor: it is another one.
    #[non_exhaustive]
    Silent {
        /// Time for which the predecessor has waited.
        after: Duration,
    },
    /// The start of the successor has failed.
    #[non_exhaustive]
    StartFailed {
        /// The failure, as the successor has told it.
        error: String,
    },
    /// The successor ended before it was ready.
    #[non_exhaustive]
    Ended {
        /// Exit status, as in `exit status: 2`, or the reason for which it is not known: a service
        /// manager reaps the successor that it manages.
        status: String,
    },
    /// The successor was not ready in time.
    #[non_exhaustive]
    TimedOut {
        /// Time for which the predecessor has waited.
        after: Duration,
    },
    /// The stop of the process was asked for meanwhile.
    Stopped,
}

impl fmt::Display for UpgradeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotReady { state } => write!(f, "the process is not ready, but {state}"),
            Self::UnderWay => f.write_str("another one is under way"),
            Self::Unsupported => f.write_str("there is none here: it needs Unix, and a real run"),
            Self::FirstProcess => f.write_str(
                "this is the first process of a container, which ends with it; \
                 start another container instead",
            ),
            Self::NotStarted { program, error } => {
                write!(f, "{} can't be started: {error}", program.display())
            }
            Self::Silent { after } => write!(
                f,
                "the program that was started has said nothing for {after:?}: it is another \
                 program, or hangs before its run"
            ),
            Self::StartFailed { error } => write!(f, "the successor failed: {error}"),
            Self::Ended { status } => {
                write!(f, "the successor ended before it was ready ({status})")
            }
            Self::TimedOut { after } => {
                write!(f, "the successor was not ready within {after:?}")
            }
            Self::Stopped => f.write_str("the process was stopped meanwhile"),
        }
    }
}

impl std::error::Error for UpgradeError {}

/// Process id of the successor that has taken over, or the reason why none has.
pub(crate) type UpgradeResult = Result<u32, UpgradeError>;

/// Request for an upgrade, which waits for its answer.
pub(crate) struct UpgradeRequest(oneshot::Sender<UpgradeResult>);

impl UpgradeRequest {
    /// Makes a request, and the receiver of its answer.
    pub(super) fn new() -> (Self, oneshot::Receiver<UpgradeResult>) {
        let (sender, answer) = oneshot::channel();
        (Self(sender), answer)
    }

    /// Answers the request, even if nobody waits for the answer.
    pub(crate) fn answer(self, result: UpgradeResult) {
        let _ = self.0.send(result);
    }
}
