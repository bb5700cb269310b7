//! The hooks that the linker collected. The only reader of inventory.

use crate::__private::Registered;
use crate::hook::HookMeta;

/// Every registered hook, in link order, which means nothing.
pub(crate) fn hooks() -> impl Iterator<Item = &'static HookMeta> {
    inventory::iter::<Registered>.into_iter().map(|registered| registered.0)
}
