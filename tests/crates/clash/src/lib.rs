//! A library whose binary declares its module once more.

pub mod hooks;

/// Another hook of the binary has the same path.
#[lifecycle_runtime::on_startup]
pub async fn cache() {}
