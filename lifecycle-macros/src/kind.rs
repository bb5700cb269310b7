//! Kinds of hooks, with the syntax of their attributes.
//!
//! A new attribute for hooks is a variant and a row here, an entry of [`Kind::ALL`], a function in
//! `lib.rs` with a page in `docs/`, and in the runtime a variant of `Kind` and the re-export.

/// Kind of hook, named after the attribute that makes it.
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

/// Properties of a kind.
struct Row {
    syntax: Syntax,
    variant: &'static str,
    /// Name of the policy's type in the runtime, if hooks of this kind have one.
    policy: Option<&'static str>,
}

/// Syntax of an attribute.
#[derive(Clone, Copy)]
pub struct Syntax {
    /// Name of the attribute.
    pub attribute: &'static str,
    /// Noun for what the attribute makes of a function: hook or test.
    pub makes: &'static str,
    /// Functions on which the attribute can stand.
    pub functions: &'static str,
    /// Set if the attribute names a signal before its keys.
    pub takes_signal: bool,
    /// Keys that the attribute takes, in the order of its documentation.
    pub keys: &'static [Key],
}

/// Key of an attribute.
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
    Exclusive,
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
            After, Backoff, Before, CheckKind, Crate, Exclusive, Failures, Interval, MaxRestarts,
            Of, OnExit, Order, Reserve, Restart, StopOn, StopTimeout, Timeout,
        };
        const SERVICE: &[Key] = &[
            After,
            Restart,
            Backoff,
            MaxRestarts,
            StopTimeout,
            Reserve,
            StopOn,
            OnExit,
            Exclusive,
            Crate,
        ];
        const SHUTDOWN: &[Key] = &[Of, Order, After, Before, Timeout, Reserve, Crate];
        const HEALTH_CHECK: &[Key] = &[After, CheckKind, Interval, Timeout, Failures, Crate];
        let (attribute, variant, policy, keys): (_, _, _, &[_]) = match self {
            Self::Startup => {
                ("on_startup", "Startup", None, &[Order, After, Timeout, Exclusive, Crate])
            }
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

    /// Returns the syntax of the attribute.
    pub fn syntax(self) -> Syntax {
        self.row().syntax
    }

    /// Returns the variant's name in the runtime.
    pub fn variant(self) -> &'static str {
        self.row().variant
    }

    /// Returns the name of the policy's type in the runtime, if there is one.
    pub fn policy(self) -> Option<&'static str> {
        self.row().policy
    }

    /// Returns the kind of hook that an attribute of this name makes.
    pub fn of_attribute(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.syntax().attribute == name)
    }
}

impl Syntax {
    /// Syntax of the attribute of tests. The name has its path, as the language has an attribute of
    /// the same name.
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
    /// Returns the key as it is written.
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
            Self::Exclusive => "exclusive",
            Self::Setup => "setup",
            Self::StartPaused => "start_paused",
            Self::Crate => "crate",
        }
    }
}
