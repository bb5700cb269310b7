//! The states of a run.

use std::fmt;

use serde::Serialize;

/// Where a run stands. States only ever advance, and a start that fails goes from [`Starting`](Self::Starting) to
/// [`Stopping`](Self::Stopping) at once.
///
/// ```
/// use lifecycle_runtime::State;
///
/// assert!(State::Ready < State::Draining);
/// assert_eq!(State::Ready.to_string(), "ready");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum State {
    /// Startup hooks run; nothing is served.
    #[default]
    Starting,
    /// Every startup hook is done and the server listens.
    Ready,
    /// The stop has begun; requests are still served.
    Draining,
    /// The server is gone; shutdown hooks and teardowns run.
    Stopping,
    /// Everything has ended.
    Stopped,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Draining => "draining",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        })
    }
}
