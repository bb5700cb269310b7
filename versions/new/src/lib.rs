//! A library with a hook.

/// A hook.
#[lifecycle_runtime::on_startup]
pub async fn db() {}

/// One more.
#[lifecycle_runtime::on_startup]
pub async fn table() {}
