//! Log shipper that follows log files into SQLite and on to a collector, across stops, kills and
//! rotations.
//!
//! Each module declares its hooks, for the start and for the stop, beside the code that needs them.
//! The worker is a library so that tests can run its hooks, too.

pub mod batches;
pub mod follow;
pub mod forward;
pub mod settings;
pub mod spool;
pub mod store;
pub mod tail;
#[cfg(test)]
mod tests;

use lifecycle_runtime::{Info, Lifecycle};

/// Returns the worker. It has no HTTP server, and shows what goes on to this machine only.
pub fn worker() -> Lifecycle {
    let info = Info::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
    Lifecycle::new().info(info).admin("127.0.0.1:9000")
}
