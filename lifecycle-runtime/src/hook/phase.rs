//! Phases of a run.

/// Part of a run whose hooks have all ended before the next part begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Startup hooks run, and services begin.
    Startup,
    /// Ready hooks run: the server listens.
    Ready,
    /// Drain hooks run: the stop has begun, and requests are still served.
    Drain,
    /// Services end, shutdown hooks run, values are torn down and dropped.
    Shutdown,
}
