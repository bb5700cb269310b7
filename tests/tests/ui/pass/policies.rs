//! Services, health checks and hooks of signals: each key, each kind of edge, and calls as plain
//! functions.

#![deny(warnings)]

use std::io;

use lifecycle_runtime::hook::{Hook, Kind};
use lifecycle_runtime::{Dep, Stop, health_check, on_drain, on_ready, on_shutdown, on_signal, on_startup, service};

#[on_startup]
async fn db() -> u32 {
    4
}

#[service]
async fn plain() {}

#[service(
    after = [plain, db],
    restart = "on_failure",
    backoff = "100ms..30s",
    max_restarts = "5 in 1m",
    stop_timeout = "10s",
    on_exit = "ignore",
    crate = lifecycle_runtime,
)]
async fn outbox(db: Dep<db>, stop: Stop) -> io::Result<u32> {
    assert!(!stop.is_requested());
    Ok(*db)
}

#[service(restart = "always", max_restarts = "unlimited")]
fn on_a_thread(_stop: Stop) {}

#[on_startup(after = [outbox])]
async fn behind_a_service() {}

#[on_ready(after = [outbox])]
async fn announce() {}

#[on_drain(after = [outbox])]
async fn withdraw() {}

#[on_shutdown(before = [outbox, flush])]
async fn say_last_words() {}

#[on_shutdown(after = [plain])]
async fn flush() {}

#[health_check]
async fn ping(db: Dep<db>) -> Result<(), String> {
    if *db == 4 { Ok(()) } else { Err("no answer".to_owned()) }
}

#[health_check(
    kind = "liveness", interval = "5s", timeout = "5s", failures = 1, after = [db, outbox], crate = lifecycle_runtime
)]
fn is_alive() {}

type Checked = io::Result<()>;

/// What only the compiler knows to be a `Result`.
#[health_check]
fn is_there() -> Checked {
    Ok(())
}

#[on_startup(exclusive = true)]
fn lock() {}

#[service(exclusive = false, after = [lock])]
async fn single() {}

#[on_signal(SIGHUP)]
async fn reload(db: Dep<db>) -> io::Result<()> {
    assert_eq!(*db, 4);
    Ok(())
}

#[on_signal(SIGHUP, after = [reload, db, outbox], timeout = "5s", crate = lifecycle_runtime)]
fn report() {}

/// A conditional one is there only then.
#[cfg(any())]
#[on_signal(SIGUSR2)]
fn nothing(unknown: Unknown) {}

fn main() {
    is_alive();
    let _there = is_there();
    report();
    lock();
    on_a_thread(Stop::never());
    let _futures = (outbox(Dep::new(4), Stop::never()), ping(Dep::new(4)), reload(Dep::new(4)));
    for (hook, kind) in [
        (plain::META, Kind::Service),
        (lock::META, Kind::Startup),
        (single::META, Kind::Service),
        (outbox::META, Kind::Service),
        (ping::META, Kind::HealthCheck),
        (is_alive::META, Kind::HealthCheck),
        (reload::META, Kind::Signal),
    ] {
        assert_eq!(hook.kind(), kind);
    }
    assert!(lifecycle_runtime::plan::Plan::new([outbox::META, is_alive::META, report::META, say_last_words::META]).is_ok());
}
