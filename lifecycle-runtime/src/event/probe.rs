//! Probes: questions about a process that are answered by a status.

use std::fmt;

/// Question that Kubernetes asks of a container, and load balancers ask of a server. Its text is
/// the path at which it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Probe {
    /// Probe for a process that still answers: `/livez`. A process that fails it is killed, so it
    /// passes while the process stops.
    Liveness,
    /// Probe for the end of the start: `/startupz`.
    Startup,
    /// Probe for a process that is to be sent requests: `/readyz`.
    Readiness,
}

impl Probe {
    /// Returns the path at which the probe is asked: `/livez`.
    ///
    /// ```
    /// use lifecycle_runtime::event::Probe;
    ///
    /// assert_eq!(Probe::Readiness.path(), "/readyz");
    /// ```
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Liveness => "/livez",
            Self::Startup => "/startupz",
            Self::Readiness => "/readyz",
        }
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.path())
    }
}
