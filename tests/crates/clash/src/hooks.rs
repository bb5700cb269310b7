//! A module of the library, and by mistake of the binary of the same name as well.

use lifecycle_runtime::on_startup;

/// A hook.
#[on_startup]
pub async fn db() {}

/// One more, which is no mistake of its own.
#[on_startup]
pub async fn table() {}
