//! The states of a run.

use std::fmt;

use serde::Serialize;

/// State of a run. States only ever advance. A start that fails goes from
/// [`Starting`](Self::Starting) to [`Stopping`](Self::Stopping) at once, or to
/// [`Draining`](Self::Draining) if the server listens already.
///
/// ```
/// use lifecycle_runtime::event::State;
///
/// assert!(State::Ready < State::Draining);
/// assert_eq!(State::Ready.to_string(), "ready");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum State {
    /// Startup hooks run, and nothing is served; then the server listens, and ready hooks run.
    #[default]
    Starting,
    /// Every startup and ready hook is done and the server listens.
    Ready,
    /// The stop has begun; drain hooks run, and requests are still served.
    Draining,
    /// The server is gone, and drain hooks have ended; shutdown hooks and teardowns run.
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
