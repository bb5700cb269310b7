//! Forced ends of processes whose runs were not over.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::event::{Wait, listed, readable};

/// Forced end of a process whose run was not over. Only the [file of the
/// report](crate::Lifecycle::report_file) has one, as no callback runs any more.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct ForcedExit {
    /// Cause of the forced end.
    #[serde(serialize_with = "as_text")]
    pub cause: ForcedExitCause,
    /// Hooks, requests and others that the run was waiting for.
    #[serde(serialize_with = "as_texts")]
    pub waiting_for: Vec<Wait>,
}

/// Cause of a forced end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ForcedExitCause {
    /// A third signal, by its name.
    ThirdSignal(&'static str),
    /// The end of the grace period, which is this long.
    GracePeriod(Duration),
    /// The end of the async runtime of [`Lifecycle::serve`](crate::Lifecycle::serve).
    RuntimeGone,
}

impl fmt::Display for ForcedExitCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ThirdSignal(name) => write!(f, "third signal ({name}): exit at once"),
            Self::GracePeriod(grace) => {
                write!(f, "the grace period of {} is over, exit at once", readable(*grace))
            }
            Self::RuntimeGone => f.write_str("the async runtime went away, and the run with it"),
        }
    }
}

impl fmt::Display for ForcedExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.cause)?;
        if self.waiting_for.is_empty() {
            return Ok(());
        }
        let waiting: Vec<_> = self.waiting_for.iter().map(ToString::to_string).collect();
        write!(f, "; still running: {}", listed(&waiting, ", "))
    }
}

fn as_text<S: Serializer>(value: &impl fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

fn as_texts<S: Serializer>(waits: &[Wait], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(waits.iter().map(ToString::to_string))
}
