//! Kinds of hooks, and the relations between them.

use std::fmt;

use super::phase::Phase;

/// Attribute that made a function a hook. The kinds are in the order in which a run comes to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Kind {
    /// `#[on_startup]`
    Startup,
    /// `#[service]`
    Service,
    /// `#[health_check]`
    HealthCheck,
    /// `#[on_ready]`
    Ready,
    /// `#[on_signal]`
    Signal,
    /// `#[on_drain]`
    Drain,
    /// `#[on_shutdown]`
    Shutdown,
}

impl Kind {
    /// All kinds, in the order in which a run comes to them.
    pub(crate) const ALL: [Self; 7] = [
        Self::Startup,
        Self::Service,
        Self::HealthCheck,
        Self::Ready,
        Self::Signal,
        Self::Drain,
        Self::Shutdown,
    ];

    /// Returns the attribute's name.
    ///
    /// ```
    /// assert_eq!(lifecycle_runtime::hook::Kind::Startup.attribute(), "on_startup");
    /// ```
    #[must_use]
    pub const fn attribute(self) -> &'static str {
        match self {
            Self::Startup => "on_startup",
            Self::Service => "service",
            Self::HealthCheck => "health_check",
            Self::Ready => "on_ready",
            Self::Signal => "on_signal",
            Self::Drain => "on_drain",
            Self::Shutdown => "on_shutdown",
        }
    }

    /// Returns the indefinite article of the attribute's name.
    pub(crate) const fn article(self) -> &'static str {
        match self {
            Self::Service | Self::HealthCheck => "a",
            _ => "an",
        }
    }

    /// Returns the phase in which hooks of this kind begin. Services begin with the startup hooks,
    /// as each may need the other. `None` for the kinds that recur, beside the phases.
    pub(crate) const fn phase(self) -> Option<Phase> {
        match self {
            Self::Startup | Self::Service => Some(Phase::Startup),
            Self::Ready => Some(Phase::Ready),
            Self::Drain => Some(Phase::Drain),
            Self::Shutdown => Some(Phase::Shutdown),
            Self::HealthCheck | Self::Signal => None,
        }
    }

    /// Returns whether the start fails if a hook of this kind fails before the run is ready.
    pub(crate) const fn is_of_the_start(self) -> bool {
        matches!(self, Self::Startup | Self::Service | Self::Ready)
    }

    /// Returns whether hooks of this kind run again and again.
    pub(crate) const fn recurs(self) -> bool {
        matches!(self, Self::HealthCheck | Self::Signal)
    }

    /// Returns whether hooks of this kind have an `order`.
    pub(super) const fn is_ordered(self) -> bool {
        !matches!(self, Self::Service | Self::HealthCheck | Self::Signal)
    }

    /// Returns whether hooks of this kind exist for as long as the process serves, for others to
    /// use.
    pub(crate) const fn may_be_used(self) -> bool {
        matches!(self, Self::Startup | Self::Service)
    }

    /// Returns whether hooks of this kind can wait for each other. Health checks can't: each keeps
    /// its own time.
    const fn is_sequence(self) -> bool {
        !matches!(self, Self::HealthCheck)
    }

    /// Returns whether a hook of this kind may need one of the kind `needed`: it uses that hook, or
    /// it is of the same kind and runs after it.
    pub(crate) const fn may_need(self, needed: Self) -> bool {
        needed.may_be_used() || (self as u8 == needed as u8 && self.is_sequence())
    }

    /// Returns whether `before` may name hooks of this kind: only those that end as the process
    /// stops.
    pub(crate) const fn may_be_preceded(self) -> bool {
        matches!(self, Self::Service | Self::Shutdown)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.attribute())
    }
}
