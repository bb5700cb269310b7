//! Hooks with every feature of the attributes, in a crate that allows nothing.

#![forbid(unsafe_code)]
#![deny(warnings, missing_docs, clippy::all, clippy::pedantic)]
#![deny(future_incompatible, nonstandard_style, rust_2018_idioms, unused, let_underscore)]
#![deny(
    missing_copy_implementations,
    missing_debug_implementations,
    unreachable_pub,
    unused_qualifications
)]
#![deny(
    single_use_lifetimes,
    trivial_casts,
    unused_import_braces,
    unused_lifetimes,
    unused_results
)]
#![deny(
    elided_lifetimes_in_paths,
    explicit_outlives_requirements,
    non_local_definitions,
    variant_size_differences
)]

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

use lifecycle_runtime::hook::{Dependency, Scope};
use lifecycle_runtime::{
    BoxError, Dep, Inject, Stop, health_check, on_shutdown, on_signal, on_startup, service,
};

/// Number of hooks that have run to their end.
static ENDED: AtomicU32 = AtomicU32::new(0);

fn count() {
    let _before = ENDED.fetch_add(1, Ordering::Relaxed);
}

/// Value that the hooks share.
#[derive(Debug, Clone, Copy)]
pub struct Pool {
    size: u32,
}

/// Makes a pool.
///
/// # Errors
///
/// Never.
#[on_startup(order = 0, timeout = "10s")]
pub async fn db() -> io::Result<Pool> {
    std::future::ready(()).await;
    count();
    Ok(Pool { size: 4 })
}

/// Returns a few numbers.
#[on_startup]
#[must_use]
pub fn cache(db: Dep<db>) -> Vec<u32> {
    count();
    (0..db.size).collect()
}

#[on_startup(after = [cache])]
async fn warm(stop: Stop) {
    count();
    assert!(!stop.is_requested());
    std::future::ready(()).await;
}

#[on_startup]
fn check(everything: Everything) -> Result<(), String> {
    if everything.cache.is_empty() {
        return Err("nothing there".to_owned());
    }
    count();
    Ok(())
}

struct Everything {
    cache: Dep<cache>,
}

impl Inject for Everything {
    const DEPENDENCIES: &'static [Dependency] = Dep::<cache>::DEPENDENCIES;

    fn inject(scope: &Scope) -> Result<Self, BoxError> {
        Ok(Self { cache: scope.dep()? })
    }
}

/// Waits for the stop beside the others.
///
/// # Errors
///
/// Never.
#[service(
    after = [cache],
    restart = "on_failure",
    backoff = "10ms..1s",
    max_restarts = "2 in 10s",
    stop_timeout = "1s",
    on_exit = "ignore"
)]
pub async fn outbox(db: Dep<db>, stop: Stop) -> io::Result<()> {
    let _size = db.size;
    stop.requested().await;
    Ok(())
}

#[service(restart = "always")]
fn on_a_thread(stop: Stop) {
    while !stop.is_requested() {
        std::thread::park_timeout(std::time::Duration::from_millis(10));
    }
}

#[health_check(
    after = [outbox],
    kind = "liveness",
    interval = "1s",
    timeout = "500ms",
    failures = 2
)]
async fn is_alive(cache: Dep<cache>) -> Result<(), String> {
    std::future::ready(()).await;
    if cache.is_empty() { Err("nothing there".to_owned()) } else { Ok(()) }
}

#[on_signal(SIGWINCH, after = [outbox], timeout = "1s")]
fn repaint(cache: Dep<cache>) {
    assert!(!cache.is_empty());
}

#[on_shutdown(of = db, timeout = "5s")]
async fn close_db(db: Dep<db>) {
    std::future::ready(()).await;
    assert_eq!(db.size, 4);
    count();
}

#[on_shutdown(of = cache)]
fn drop_cache(cache: Dep<cache>) {
    assert_eq!(cache.len(), 4);
    count();
}

#[on_shutdown(order = 10, after = [db])]
fn flush() {
    count();
}

#[on_shutdown(order = 5, before = [flush, late::last_words], crate = lifecycle_runtime)]
pub(crate) async fn report() -> io::Result<()> {
    std::future::ready(()).await;
    count();
    Ok(())
}

/// Hooks in a module of their own.
pub mod late {
    use lifecycle_runtime::on_shutdown;

    #[on_shutdown(order = 20)]
    pub(super) fn last_words() {
        super::count();
    }
}

#[cfg(test)]
#[path = "../../../tests/ui/start_and_stop.rs"]
mod start_and_stop;

#[cfg(test)]
mod tests {
    use std::process::ExitCode;
    use std::sync::atomic::Ordering;

    #[test]
    fn every_hook_runs() {
        assert_eq!(
            format!("{:?}", super::start_and_stop::start_and_stop()),
            format!("{:?}", ExitCode::SUCCESS)
        );
        assert_eq!(super::ENDED.load(Ordering::Relaxed), 9);
    }
}
