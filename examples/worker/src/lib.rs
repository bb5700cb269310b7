//! Follows log files into SQLite and on to a collector, around every stop, kill and rotation.
//!
//! Each module declares what it does when the process starts and stops beside the code that needs
//! it. It is a library so that a test can run its hooks, too.

pub mod batches;
pub mod follow;
pub mod forward;
pub mod settings;
pub mod spool;
pub mod store;
pub mod tail;
#[cfg(test)]
mod tests;

use lifecycle_runtime::Lifecycle;

/// No server, only probes.
pub fn worker() -> Lifecycle {
    Lifecycle::new().admin("127.0.0.1:9000")
}
