//! The kinds of hooks, and the keys that each attribute takes. A new attribute is a variant and a row here.

/// A kind of hook, by the attribute that makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Startup,
    Ready,
    Drain,
    Shutdown,
}

/// What there is to know of a kind.
struct Row {
    attribute: &'static str,
    variant: &'static str,
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
    Crate,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::Startup, Self::Ready, Self::Drain, Self::Shutdown];

    const fn row(self) -> Row {
        use Key::{After, Before, Crate, Of, Order, Timeout};
        let (attribute, variant, keys): (_, _, &[_]) = match self {
            Self::Startup => ("on_startup", "Startup", &[Order, After, Timeout, Crate]),
            Self::Ready => ("on_ready", "Ready", &[Order, After, Timeout, Crate]),
            Self::Drain => ("on_drain", "Drain", &[Order, After, Timeout, Crate]),
            Self::Shutdown => ("on_shutdown", "Shutdown", &[Of, Order, After, Before, Timeout, Crate]),
        };
        Row { attribute, variant, keys }
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
            Self::Crate => "crate",
        }
    }
}
