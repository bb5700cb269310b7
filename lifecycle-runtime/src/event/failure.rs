//! Failures of a start and of the hooks in it.

use std::fmt;

use crate::hook::HookMeta;
use crate::hook::outcome::Outcome;
use crate::hook::stop::StopCause;

/// Failure by which a start ended, or reason for which a run did not begin.
///
/// ```
/// # #[tokio::main] async fn main() {
/// use lifecycle_runtime::event::{Outcome, StartFailure};
/// use lifecycle_runtime::hook::Hook;
/// use lifecycle_runtime::{Lifecycle, on_startup};
///
/// #[on_startup]
/// async fn db() -> Result<(), String> { Err("no route".into()) }
///
/// let report = Lifecycle::of([db::META]).console(false).serve().await;
/// let Some(StartFailure::Hook { hook, failure, .. }) = &report.error else { panic!("{report}") };
/// assert_eq!(*hook, db::META);
/// assert_eq!(failure.outcome, Outcome::Failed { error: "no route".into() });
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartFailure {
    /// A startup or ready hook failed, or a service that the process needs.
    #[non_exhaustive]
    Hook {
        /// The hook.
        hook: &'static HookMeta,
        /// The failure of the hook.
        failure: HookFailure,
    },
    /// An app could not be built.
    #[non_exhaustive]
    AppNotBuilt {
        /// The error, with its causes.
        error: String,
    },
    /// The startup timeout ended while an app was built.
    AppTimedOut,
    /// A server could not listen.
    #[non_exhaustive]
    NotListening {
        /// The error, with advice.
        error: String,
    },
    /// [`StopHandle::fail`](crate::StopHandle::fail) was called.
    #[non_exhaustive]
    Program {
        /// The error, with its causes.
        error: String,
    },
    /// Something other than a request to stop ended the start, such as the end of a server.
    #[non_exhaustive]
    Ended {
        /// The cause of the stop.
        cause: StopCause,
    },
    /// The run did not begin: its settings or its plan are invalid.
    #[non_exhaustive]
    Invalid {
        /// The error, with advice.
        error: String,
    },
    /// The run did not begin: an address is taken, or the system refuses a thread.
    #[non_exhaustive]
    Unprepared {
        /// The error, with advice.
        error: String,
    },
    /// The run did not begin: the stop was asked for before that.
    #[non_exhaustive]
    StoppedBefore {
        /// The cause of the stop.
        cause: StopCause,
    },
    /// The run did not begin: `LIFECYCLE_PLAN` asked for its plan.
    PlanPrinted,
    /// The async runtime of [`Lifecycle::serve`](crate::Lifecycle::serve) went away.
    RuntimeGone,
}

/// Failure of a hook.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HookFailure {
    /// Outcome of the hook.
    pub outcome: Outcome,
    /// Last run of a service that never became ready, if one has failed.
    pub last_run: Option<LastRun>,
}

/// Last run that failed of a service that never became ready.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LastRun {
    /// Outcome of the run.
    pub outcome: Outcome,
    /// Number of restarts of the service.
    pub restarts: u32,
}

impl StartFailure {
    /// Makes the failure of a start that this outcome of a hook ended.
    pub(crate) fn of(hook: &'static HookMeta, outcome: Outcome) -> Self {
        Self::Hook { hook, failure: HookFailure { outcome, last_run: None } }
    }

    /// Returns the line that reports the failure.
    pub(crate) fn line(&self) -> String {
        format!("start failed: {self}")
    }

    /// Returns the hook that the start failed by, if it was one.
    #[must_use]
    pub fn hook(&self) -> Option<&'static HookMeta> {
        match self {
            Self::Hook { hook, .. } => Some(hook),
            _ => None,
        }
    }
}

impl fmt::Display for StartFailure {
    /// Writes one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hook { hook, failure } => {
                write!(f, "{} {failure}", hook.label())?;
                if let Outcome::NotBegun { is_blocked: false } = failure.outcome {
                    f.write_str(" of the startup timeout")?;
                }
                Ok(())
            }
            Self::AppNotBuilt { error } => write!(f, "no app to serve: {error}"),
            Self::AppTimedOut => f.write_str("building the app ran into the startup timeout"),
            Self::Program { error } => write!(f, "the program failed: {error}"),
            Self::Ended { cause } => write!(f, "stopped: {cause}"),
            Self::NotListening { error } | Self::Invalid { error } | Self::Unprepared { error } => {
                f.write_str(error)
            }
            Self::StoppedBefore { cause } if cause.is_wanted() => {
                write!(f, "stopped before the start: {cause}")
            }
            Self::StoppedBefore { cause } => write!(f, "{cause}"),
            Self::PlanPrinted => {
                f.write_str("the plan was printed instead, as LIFECYCLE_PLAN says")
            }
            Self::RuntimeGone => f.write_str("the async runtime went away"),
        }
    }
}

impl fmt::Display for HookFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.outcome)?;
        let Some(LastRun { outcome, restarts }) = &self.last_run else { return Ok(()) };
        write!(f, "; its last run {outcome}")?;
        match restarts {
            0 => Ok(()),
            1 => f.write_str(" (1 restart)"),
            restarts => write!(f, " ({restarts} restarts)"),
        }
    }
}
