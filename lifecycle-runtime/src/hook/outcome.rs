//! Outcomes of hooks.

use std::any::Any;
use std::fmt;

use serde::{Serialize, Serializer};

use crate::hook::HookMeta;
use crate::hook::error::{BoxError, chain, panic_text};

/// End of a hook, or the reason why it did not run.
///
/// ```
/// use lifecycle_runtime::event::Outcome;
/// use lifecycle_runtime::hook::Hook;
/// use lifecycle_runtime::on_startup;
///
/// #[on_startup]
/// async fn db() {}
///
/// assert!(!Outcome::Succeeded.is_failure());
/// // A hook that was skipped, or cancelled with a start that failed, is not at fault.
/// assert!(!Outcome::Skipped { missing: db::META }.is_failure());
/// assert!(Outcome::Panicked { message: "no pool".into() }.is_failure());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "result", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// It returned without an error.
    Succeeded,
    /// It returned an error.
    Failed {
        /// The error and its causes.
        error: String,
    },
    /// It panicked.
    Panicked {
        /// The panic's message.
        message: String,
    },
    /// Its time was up.
    TimedOut {
        /// The limit that it ran into.
        limit: Limit,
        /// Set if it ended when it was cancelled. If not, it was abandoned, and may still be
        /// running.
        ended: bool,
    },
    /// Its time was up while it waited to go on: the threads that had to run it were blocked or
    /// busy. It was abandoned.
    Blocked,
    /// It was cancelled: the start was given up, or a recurring hook was running when the stop
    /// began.
    Cancelled {
        /// Set if it ended then. If not, it was abandoned, and may still be running.
        ended: bool,
    },
    /// It did not run: it could not begin in its time.
    NotBegun {
        /// Set if no thread took it up in its time: all threads of the async runtime, or of the
        /// blocking pool, were blocked. Otherwise too little time was left to begin in.
        is_blocked: bool,
    },
    /// It did not run: it depends on a hook that did not succeed.
    Skipped {
        /// Hook that did not succeed and that it depends on.
        #[serde(serialize_with = "as_name")]
        missing: &'static HookMeta,
    },
}

/// Limit on the time of a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Limit {
    /// The hook's own `timeout`.
    Timeout,
    /// The `startup_timeout` of the whole start.
    StartupTimeout,
    /// The share of the whole stop's `grace` that was left for it.
    Grace,
    /// The stop was hurried, as by a second signal: services are not waited for any longer.
    Hurry,
}

impl Outcome {
    /// Returns whether the outcome makes the run less than clean.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        matches!(
            self,
            Self::Failed { .. }
                | Self::Panicked { .. }
                | Self::TimedOut { .. }
                | Self::Blocked
                | Self::NotBegun { .. }
        )
    }

    /// Returns whether the hook was cancelled, did not end, and may still be running.
    pub(crate) fn is_abandoned(&self) -> bool {
        matches!(
            self,
            Self::TimedOut { ended: false, .. } | Self::Cancelled { ended: false } | Self::Blocked
        )
    }

    /// Returns whether the process goes on in spite of the outcome: a service that it can do
    /// without has failed.
    pub(crate) fn is_ignored(&self, hook: &HookMeta) -> bool {
        hook.is_dispensable() && matches!(self, Self::Failed { .. } | Self::Panicked { .. })
    }

    /// Returns the outcome behind the label of its hook, the way every message about it begins.
    pub(crate) fn of(&self, hook: &HookMeta) -> String {
        format!("{} {self}", hook.label())
    }

    pub(crate) fn failed(error: &BoxError) -> Self {
        Self::Failed { error: chain(&**error) }
    }

    pub(crate) fn panicked(panic: &(dyn Any + Send)) -> Self {
        Self::Panicked { message: panic_text(panic) }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Succeeded => f.write_str("done"),
            Self::Failed { error } => write!(f, "failed: {error}"),
            Self::Panicked { message } => write!(f, "panicked: {message}"),
            Self::TimedOut { limit, ended } => {
                f.write_str(match limit {
                    Limit::Timeout => "ran into its timeout",
                    Limit::StartupTimeout => "ran into the startup timeout",
                    Limit::Grace => "ran out of its share of the grace period",
                    Limit::Hurry => "was not waited for any longer in a hurried stop",
                })?;
                f.write_str(if *ended { " and was cancelled" } else { ABANDONED })
            }
            Self::Cancelled { ended: true } => f.write_str("was cancelled"),
            Self::Cancelled { ended: false } => write!(f, "was cancelled{ABANDONED}"),
            Self::Blocked => f.write_str(
                "could not go on in its time, as the threads that had to run it were blocked or \
                 busy, and was abandoned",
            ),
            Self::NotBegun { is_blocked: false } => f.write_str("did not run: no time was left"),
            Self::NotBegun { is_blocked: true } => f.write_str(
                "did not run: every thread that could have run it was blocked, see what did \
                     not end",
            ),
            Self::Skipped { missing } => {
                write!(f, "skipped: `{}` did not succeed", missing.display_name())
            }
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn as_name<S: Serializer>(hook: &&'static HookMeta, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(hook.display_name())
}

const ABANDONED: &str = ", did not end and was abandoned";
