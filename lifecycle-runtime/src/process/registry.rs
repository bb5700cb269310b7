//! Hooks, and modules of tests, that the linker collected. The only reader of inventory.

#[cfg(feature = "testing")]
pub(crate) mod modules;

use crate::__private::Registered;
#[cfg(feature = "testing")]
use crate::__private::TestModule;
use crate::hook::HookMeta;

/// Returns every registered hook, in link order, which means nothing.
pub(crate) fn hooks() -> impl Iterator<Item = &'static HookMeta> {
    inventory::iter::<Registered>.into_iter().map(|registered| registered.0)
}

/// Returns the modules of all tests under `#[lifecycle_runtime::test]`, once for each test.
#[cfg(feature = "testing")]
pub(crate) fn test_modules() -> impl Iterator<Item = TestModule> {
    inventory::iter::<TestModule>.into_iter().copied()
}
