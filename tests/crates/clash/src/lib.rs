//! Library whose binary declares its module once more.

pub mod hooks;

/// Does nothing, and has the same path as a hook of the binary.
#[lifecycle_runtime::on_startup]
pub async fn cache() {}
