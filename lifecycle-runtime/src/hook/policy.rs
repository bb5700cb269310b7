//! Policies of hooks: the keys that only the attributes of one kind have. They say how a service is
//! kept running, when a health check runs, and which signal a hook is for.

use std::time::Duration;

/// Keys that only the hooks of one kind have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// No such keys.
    None,
    /// `#[service]`
    Service(ServicePolicy),
    /// `#[health_check]`
    HealthCheck(HealthCheckPolicy),
    /// `#[on_signal]`: the signal's name, such as `SIGHUP`.
    Signal(&'static str),
}

/// Policy for the restarts and the end of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServicePolicy {
    /// Ends after which the service is run again.
    pub restart: Restart,
    /// Time to wait before a restart.
    pub backoff: Backoff,
    /// Number of restarts that are allowed; any number if it is `None`.
    pub max_restarts: Option<RestartLimit>,
    /// Consequence of a failure for good.
    pub on_exit: OnExit,
    /// Phase at whose beginning the service is told to stop.
    pub stop_on: StopOn,
}

impl ServicePolicy {
    /// Policy of a service whose attribute says nothing.
    pub const DEFAULT: Self = Self {
        restart: Restart::Never,
        backoff: Backoff::DEFAULT,
        max_restarts: Some(RestartLimit { count: 5, within: Duration::from_secs(60) }),
        on_exit: OnExit::Stop,
        stop_on: StopOn::Shutdown,
    };
}

/// Ends after which a service is run again, unless it has been told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    /// After no end: the service is not restarted.
    Never,
    /// After an `Err` or a panic.
    OnFailure,
    /// After any end, even a good one.
    Always,
}

impl Restart {
    /// Returns the word for it in the attribute.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::OnFailure => "on_failure",
            Self::Always => "always",
        }
    }
}

/// Times between a service's end and its restart. Each is twice the last, from the first up to the
/// cap. After a run that lasted longer than the cap, they begin at the first again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Time before the first restart. Never zero.
    pub first: Duration,
    /// Longest time; not shorter than the first.
    pub cap: Duration,
}

impl Backoff {
    /// Backoff of a service whose attribute says nothing. A `backoff` without a cap has this one's.
    pub const DEFAULT: Self =
        Self { first: Duration::from_millis(100), cap: Duration::from_secs(30) };
}

/// Number of restarts that a service may have within any window of time. Beyond that it has failed
/// for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestartLimit {
    /// Number of restarts, at least one.
    pub count: u32,
    /// Length of the window; never zero.
    pub within: Duration,
}

/// Consequence of a service's failure for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnExit {
    /// The process stops, in order.
    Stop,
    /// The failure is recorded.
    Ignore,
}

/// Phase of the stop at whose beginning a service is told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopOn {
    /// The drain: the stop begins, and requests are still served. The service takes in no more
    /// work.
    Drain,
    /// The shutdown: the servers have drained.
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

/// Policy of a health check: its purpose and its times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealthCheckPolicy {
    /// Probe that the result counts for.
    pub kind: CheckKind,
    /// Time from one begin to the next; not shorter than the check's timeout.
    pub interval: Duration,
    /// Number of failures in a row that make the check fail, at least one. For a readiness check
    /// that has not passed yet, the first failure counts.
    pub failures: u32,
}

impl HealthCheckPolicy {
    /// Policy of a health check whose attribute says nothing: as for Kubernetes' probes.
    pub const DEFAULT: Self =
        Self { kind: CheckKind::Readiness, interval: Duration::from_secs(10), failures: 3 };

    /// Timeout of a health check whose attribute says nothing of it: that of Kubernetes' probes. A
    /// check takes longer if it needs more than three round trips of 300 ms. On a busy machine one
    /// such failure doesn't count unless others follow (`failures`).
    pub const TIMEOUT: Duration = Duration::from_secs(1);
}

/// Probe that the result of a health check counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckKind {
    /// `/readyz`, which answers if requests should be sent here.
    Readiness,
    /// `/livez`, which answers if the process should be replaced.
    Liveness,
    /// `/startupz`, which answers if the start is over.
    Startup,
}

impl CheckKind {
    /// Returns the word for it in the attribute.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Readiness => "readiness",
            Self::Liveness => "liveness",
            Self::Startup => "startup",
        }
    }
}
