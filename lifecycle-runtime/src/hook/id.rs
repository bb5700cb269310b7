//! Identities of hooks.

use std::any::TypeId;
use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};

/// Map from hooks to values. Its hasher resists no attack: identities come from the program itself,
/// so nobody could choose them to collide.
pub(crate) type HookMap<V> = HashMap<HookId, V, foldhash::fast::RandomState>;

/// The identity of a hook, unique in the process.
///
/// ```
/// use lifecycle_runtime::hook::HookId;
/// use lifecycle_runtime::on_startup;
///
/// #[on_startup]
/// async fn db() {}
/// #[on_startup]
/// async fn cache() {}
///
/// assert_ne!(HookId::of::<db>(), HookId::of::<cache>());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct HookId(Identity);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Identity {
    Type(TypeId),
    Number(u64),
}

/// Hashes the identity without its variant, as all hooks of a plan have the same one.
impl Hash for Identity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Type(id) => id.hash(state),
            Self::Number(number) => number.hash(state),
        }
    }
}

impl HookId {
    /// Returns the identity of the hook that the type `H` names.
    #[must_use]
    pub const fn of<H: 'static>() -> Self {
        Self(Identity::Type(TypeId::of::<H>()))
    }

    /// Returns an identity for a hook that no type names: for plans made of data, in tests and
    /// benchmarks.
    #[must_use]
    pub const fn number(number: u64) -> Self {
        Self(Identity::Number(number))
    }
}

impl fmt::Debug for HookId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Identity::Type(id) => write!(f, "{id:?}"),
            Identity::Number(number) => write!(f, "HookId({number})"),
        }
    }
}
