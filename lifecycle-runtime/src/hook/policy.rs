//! What some attributes say beyond what every attribute can say: how a service is kept alive, when
//! health is checked, which signal is heard.

use std::time::Duration;

/// What only the hooks of one kind have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)]
pub enum Policy {
    /// Nothing.
    None,
    /// `#[service]`
    Service(ServicePolicy),
    /// `#[health_check]`
    HealthCheck(HealthCheckPolicy),
    /// `#[on_signal]`: the signal's name, such as `SIGHUP`.
    Signal(&'static str),
}

/// How a service is kept alive, and what its end means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct ServicePolicy {
    /// After which ends it is run again.
    pub restart: Restart,
    /// How long to wait before that.
    pub backoff: Backoff,
    /// How often that may be; any number of times if it is `None`.
    pub max_restarts: Option<RestartLimit>,
    /// What follows when it has failed for good.
    pub on_exit: OnExit,
    /// When it is told to stop.
    pub stop_on: StopOn,
}

impl ServicePolicy {
    /// What a service has whose attribute says nothing.
    pub const DEFAULT: Self = Self {
        restart: Restart::Never,
        backoff: Backoff::DEFAULT,
        max_restarts: Some(RestartLimit { count: 5, within: Duration::from_secs(60) }),
        on_exit: OnExit::Stop,
        stop_on: StopOn::Shutdown,
    };
}

/// After which ends a service is run again, unless it has been told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)]
pub enum Restart {
    /// After none.
    Never,
    /// After an `Err` and after a panic.
    OnFailure,
    /// After these, and after it has ended well.
    Always,
}

impl Restart {
    /// As it is written.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::OnFailure => "on_failure",
            Self::Always => "always",
        }
    }
}

/// The times between a service's end and its restart: doubled each time, from the first up to the
/// cap, and back at the first after a run that lasted longer than the cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct Backoff {
    /// Before the first restart. Never zero.
    pub first: Duration,
    /// The longest; not shorter than the first.
    pub cap: Duration,
}

impl Backoff {
    /// What a service has whose attribute says nothing. A `backoff` without a cap has this one's.
    pub const DEFAULT: Self =
        Self { first: Duration::from_millis(100), cap: Duration::from_secs(30) };
}

/// How many restarts a service may have within any window of time. Beyond that it has failed for
/// good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct RestartLimit {
    /// At least one.
    pub count: u32,
    /// The window's length; never zero.
    pub within: Duration,
}

/// What follows when a service has failed for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)]
pub enum OnExit {
    /// The process stops, in order.
    Stop,
    /// It is recorded.
    Ignore,
}

/// Phase of the stop at whose beginning a service is told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)]
pub enum StopOn {
    /// When the stop begins, while requests are still served: it takes in no more work.
    Drain,
    /// When the servers have drained.
    Shutdown,
}

impl StopOn {
    /// Returns the word for it in the attribute.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Drain => "drain",
            Self::Shutdown => "shutdown",
        }
    }
}

impl OnExit {
    /// Returns the word for it in the attribute.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Ignore => "ignore",
        }
    }
}

/// What a health check is for, and when it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct HealthCheckPolicy {
    /// What its result counts for.
    pub kind: CheckKind,
    /// From one begin to the next; not shorter than the check's timeout.
    pub interval: Duration,
    /// Number of failures in a row that make it count, at least one. Those of a readiness check
    /// count from the first until it has passed once.
    pub failures: u32,
}

impl HealthCheckPolicy {
    /// What a health check has whose attribute says nothing: as Kubernetes' probes.
    pub const DEFAULT: Self =
        Self { kind: CheckKind::Readiness, interval: Duration::from_secs(10), failures: 3 };

    /// The timeout of a health check whose attribute says nothing of it.
    pub const TIMEOUT: Duration = Duration::from_secs(1);
}

/// What the result of a health check counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)]
pub enum CheckKind {
    /// Whether requests should be sent here: `/readyz`.
    Readiness,
    /// Whether the process should be replaced: `/livez`.
    Liveness,
    /// Whether the start is over: `/startupz`.
    Startup,
}

impl CheckKind {
    /// The word for it in the attribute.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Readiness => "readiness",
            Self::Liveness => "liveness",
            Self::Startup => "startup",
        }
    }
}
