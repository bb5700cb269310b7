//! What else stands on the function stays on it.

#![deny(warnings, missing_docs)]

use std::process::ExitCode;

use lifecycle_runtime::{Dep, on_shutdown, on_startup};

/// The pool.
///
/// Its size.
#[on_startup]
#[must_use]
#[inline(never)]
pub async fn pool() -> u32 {
    8
}

#[must_use = "or why open it"]
#[on_startup]
/// A comment below.
pub fn log(#[allow(unused_mut)] mut pool: Dep<pool>) -> u32 {
    *pool
}

#[tracing::instrument(level = "debug", skip_all, err)]
#[on_startup]
async fn traced_above(pool: Dep<pool>) -> std::io::Result<u32> {
    Ok(*pool)
}

#[on_startup(timeout = "5s")]
#[tracing::instrument(ret)]
fn traced_below(log: Dep<log>) -> u32 {
    *log
}

#[on_startup]
#[deprecated = "use `pool`"]
async fn old_pool() -> u32 {
    8
}

#[on_shutdown]
#[allow(clippy::unused_async)]
#[cold]
#[track_caller]
fn close() {}

#[on_shutdown(of = pool)]
async fn drain(pool: Dep<pool>) {
    assert_eq!(*pool, 8);
}

#[path = "../start_and_stop.rs"]
mod start_and_stop;

fn main() -> ExitCode {
    start_and_stop::start_and_stop()
}
