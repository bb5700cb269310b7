//! The kinds of hooks, and the keys that each attribute takes. A new attribute is a variant and a row here.

/// A kind of hook, by the attribute that makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Startup,
    Shutdown,
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
    const ALL: [Self; 2] = [Self::Startup, Self::Shutdown];

    /// The attribute's name.
    pub fn attribute(self) -> &'static str {
        match self {
            Self::Startup => "on_startup",
            Self::Shutdown => "on_shutdown",
        }
    }

    /// The keys that the attribute takes, as its documentation lists them.
    pub fn keys(self) -> &'static [Key] {
        match self {
            Self::Startup => &[Key::Order, Key::After, Key::Timeout, Key::Crate],
            Self::Shutdown => &[Key::Of, Key::Order, Key::After, Key::Before, Key::Timeout, Key::Crate],
        }
    }

    /// The variant's name in the runtime.
    pub fn variant(self) -> &'static str {
        match self {
            Self::Startup => "Startup",
            Self::Shutdown => "Shutdown",
        }
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
