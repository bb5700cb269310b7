//! The kinds of hooks, and how each attribute is written. A new attribute of hooks is a variant and
//! a row here.

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
    syntax: Syntax,
    variant: &'static str,
    /// The type of what only hooks of this kind have, in the runtime.
    policy: Option<&'static str>,
}

/// How an attribute is written.
#[derive(Clone, Copy)]
pub struct Syntax {
    /// Its name.
    pub attribute: &'static str,
    /// What it makes of a function.
    pub makes: &'static str,
    /// The functions that it goes on.
    pub functions: &'static str,
    /// Set if it names a signal before its keys.
    pub takes_signal: bool,
    /// The keys that it takes, as its documentation lists them.
    pub keys: &'static [Key],
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
    Reserve,
    StopOn,
    Restart,
    Backoff,
    MaxRestarts,
    OnExit,
    CheckKind,
    Interval,
    Failures,
    Setup,
    StartPaused,
    Crate,
}

impl Kind {
    pub const ALL: [Self; 7] = [
        Self::Startup,
        Self::Service,
        Self::HealthCheck,
        Self::Ready,
        Self::Signal,
        Self::Drain,
        Self::Shutdown,
    ];

    const fn row(self) -> Row {
        use Key::{
            After, Backoff, Before, CheckKind, Crate, Failures, Interval, MaxRestarts, Of, OnExit,
            Order, Reserve, Restart, StopOn, StopTimeout, Timeout,
        };
        const SERVICE: &[Key] =
            &[After, Restart, Backoff, MaxRestarts, StopTimeout, Reserve, StopOn, OnExit, Crate];
        const SHUTDOWN: &[Key] = &[Of, Order, After, Before, Timeout, Reserve, Crate];
        const HEALTH_CHECK: &[Key] = &[After, CheckKind, Interval, Timeout, Failures, Crate];
        let (attribute, variant, policy, keys): (_, _, _, &[_]) = match self {
            Self::Startup => ("on_startup", "Startup", None, &[Order, After, Timeout, Crate]),
            Self::Service => ("service", "Service", Some("ServicePolicy"), SERVICE),
            Self::HealthCheck => {
                ("health_check", "HealthCheck", Some("HealthCheckPolicy"), HEALTH_CHECK)
            }
            Self::Ready => ("on_ready", "Ready", None, &[Order, After, Timeout, Crate]),
            Self::Signal => ("on_signal", "Signal", None, &[After, Timeout, Crate]),
            Self::Drain => ("on_drain", "Drain", None, &[Order, After, Timeout, Crate]),
            Self::Shutdown => ("on_shutdown", "Shutdown", None, SHUTDOWN),
        };
        let syntax = Syntax {
            attribute,
            makes: "hook",
            functions: "`fn` or `async fn`",
            takes_signal: matches!(self, Self::Signal),
            keys,
        };
        Row { syntax, variant, policy }
    }

    /// How the attribute is written.
    pub fn syntax(self) -> Syntax {
        self.row().syntax
    }

    /// The variant's name in the runtime.
    pub fn variant(self) -> &'static str {
        self.row().variant
    }

    /// The name of the policy's type in the runtime, if there is one.
    pub fn policy(self) -> Option<&'static str> {
        self.row().policy
    }

    /// The kind of hook that an attribute of this name makes.
    pub fn of_attribute(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.syntax().attribute == name)
    }
}

impl Syntax {
    /// That of the attribute of tests. With its path, as the attribute of the language has the same
    /// name.
    pub const TEST: Self = Self {
        attribute: "lifecycle_runtime::test",
        makes: "test",
        functions: "`async fn`",
        takes_signal: false,
        keys: &[Key::Setup, Key::StartPaused, Key::Crate],
    };

    /// Returns the attributes that take a key of this name.
    pub fn with_key(name: &str) -> impl Iterator<Item = Self> {
        let all = Kind::ALL.into_iter().map(Kind::syntax).chain([Self::TEST]);
        all.filter(move |syntax| syntax.keys.iter().any(|key| key.name() == name))
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
            Self::Reserve => "reserve",
            Self::StopOn => "stop_on",
            Self::Restart => "restart",
            Self::Backoff => "backoff",
            Self::MaxRestarts => "max_restarts",
            Self::OnExit => "on_exit",
            Self::CheckKind => "kind",
            Self::Interval => "interval",
            Self::Failures => "failures",
            Self::Setup => "setup",
            Self::StartPaused => "start_paused",
            Self::Crate => "crate",
        }
    }
}
