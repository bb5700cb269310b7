//! The kinds of hooks, and the keys that each attribute takes. A new attribute is a variant and a row here.

/// A kind of hook, by the attribute that makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Startup,
    Service,
    HealthCheck,
    Ready,
    Signal,
    Drain,
    Shutdown,
}

/// What there is to know of a kind.
struct Row {
    attribute: &'static str,
    variant: &'static str,
    /// The type of what only hooks of this kind have, in the runtime.
    policy: Option<&'static str>,
    keys: &'static [Key],
}

/// A key of an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    Order,
    After,
    Before,
    Of,
    Timeout,
    StopTimeout,
    Restart,
    Backoff,
    MaxRestarts,
    OnExit,
    CheckKind,
    Interval,
    Failures,
    Crate,
}

impl Kind {
    pub const ALL: [Self; 7] =
        [Self::Startup, Self::Service, Self::HealthCheck, Self::Ready, Self::Signal, Self::Drain, Self::Shutdown];

    const fn row(self) -> Row {
        use Key::{
            After, Backoff, Before, CheckKind, Crate, Failures, Interval, MaxRestarts, Of, OnExit, Order, Restart,
            StopTimeout, Timeout,
        };
        const SERVICE: &[Key] = &[After, Restart, Backoff, MaxRestarts, StopTimeout, OnExit, Crate];
        const HEALTH_CHECK: &[Key] = &[After, CheckKind, Interval, Timeout, Failures, Crate];
        let (attribute, variant, policy, keys): (_, _, _, &[_]) = match self {
            Self::Startup => ("on_startup", "Startup", None, &[Order, After, Timeout, Crate]),
            Self::Service => ("service", "Service", Some("ServicePolicy"), SERVICE),
            Self::HealthCheck => ("health_check", "HealthCheck", Some("HealthCheckPolicy"), HEALTH_CHECK),
            Self::Ready => ("on_ready", "Ready", None, &[Order, After, Timeout, Crate]),
            Self::Signal => ("on_signal", "Signal", None, &[After, Timeout, Crate]),
            Self::Drain => ("on_drain", "Drain", None, &[Order, After, Timeout, Crate]),
            Self::Shutdown => ("on_shutdown", "Shutdown", None, &[Of, Order, After, Before, Timeout, Crate]),
        };
        Row { attribute, variant, policy, keys }
    }

    /// The attribute's name.
    pub fn attribute(self) -> &'static str {
        self.row().attribute
    }

    /// The keys that the attribute takes, as its documentation lists them.
    pub fn keys(self) -> &'static [Key] {
        self.row().keys
    }

    /// The variant's name in the runtime.
    pub fn variant(self) -> &'static str {
        self.row().variant
    }

    /// The name of the policy's type in the runtime, if there is one.
    pub fn policy(self) -> Option<&'static str> {
        self.row().policy
    }

    /// Whether the attribute names a signal before its keys.
    pub fn takes_signal(self) -> bool {
        self == Self::Signal
    }

    /// A kind of hook whose attribute takes a key of this name.
    pub fn with_key(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.keys().iter().any(|key| key.name() == name))
    }

    /// The kind of hook that an attribute of this name makes.
    pub fn of_attribute(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.attribute() == name)
    }
}

impl Key {
    /// The key as it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::After => "after",
            Self::Before => "before",
            Self::Of => "of",
            Self::Timeout => "timeout",
            Self::StopTimeout => "stop_timeout",
            Self::Restart => "restart",
            Self::Backoff => "backoff",
            Self::MaxRestarts => "max_restarts",
            Self::OnExit => "on_exit",
            Self::CheckKind => "kind",
            Self::Interval => "interval",
            Self::Failures => "failures",
            Self::Crate => "crate",
        }
    }
}
