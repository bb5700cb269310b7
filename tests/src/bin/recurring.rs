//! Health checks and hooks of signals, without a server: `recurring [HOOK[=FAULT]]...`
//!
//! The program has the hooks that are named, and with `others` one for each signal that is not
//! among them. A check fails from the line `break NAME` on stdin until `mend NAME`.

use std::process::ExitCode;

use lifecycle_runtime::hook::{Hook, HookMeta};
use lifecycle_runtime::{
    Dep, Lifecycle, health_check, on_drain, on_shutdown, on_signal, on_startup,
};
use lifecycle_tests::act::{Broken, act, act_blocking, end_with_stdin, has_heard, say};

#[on_startup]
async fn db() -> Result<(), Broken> {
    act("db").await
}

#[on_drain]
async fn withdraw() -> Result<(), Broken> {
    act("withdraw").await
}

#[on_shutdown(of = db)]
async fn close_db() {
    say("close_db");
}

const BASE: [&HookMeta; 3] = [db::META, withdraw::META, close_db::META];

fn well(name: &'static str) -> Result<(), Broken> {
    if has_heard(&format!("break {name}")) && !has_heard(&format!("mend {name}")) {
        Err(Broken(3))
    } else {
        Ok(())
    }
}

#[health_check(interval = "200ms", timeout = "200ms", failures = 2)]
async fn ping(_db: Dep<db>) -> Result<(), Broken> {
    well("ping")
}

#[health_check(kind = "liveness", interval = "200ms", timeout = "200ms", failures = 2)]
async fn alive() -> Result<(), Broken> {
    well("alive")
}

#[health_check(kind = "startup", interval = "200ms", timeout = "200ms")]
async fn warm(_db: Dep<db>) -> Result<(), Broken> {
    if has_heard("warm") { Ok(()) } else { Err(Broken(1)) }
}

#[health_check(interval = "200ms", timeout = "100ms", failures = 1)]
async fn faulty() -> Result<(), Broken> {
    act("faulty").await
}

/// Panics when it is told to. Its limit is long, as the thread may take long to write the
/// backtrace.
#[health_check(interval = "1m", timeout = "1m", failures = 1)]
async fn fragile() -> Result<(), Broken> {
    act("fragile").await
}

#[health_check(interval = "200ms", timeout = "100ms", failures = 1)]
fn stuck(_db: Dep<db>) -> Result<(), Broken> {
    act_blocking("stuck")?;
    say("stuck ended");
    Ok(())
}

#[health_check(interval = "1m", timeout = "1m")]
fn slow(_db: Dep<db>) -> Result<(), Broken> {
    act_blocking("slow")
}

#[on_signal(SIGHUP)]
async fn reload(_db: Dep<db>) -> Result<(), Broken> {
    act("reload").await
}

#[on_signal(SIGHUP, after = [reload])]
fn announce() -> Result<(), Broken> {
    act_blocking("announce")
}

#[on_signal(SIGUSR2, timeout = "300ms")]
async fn rotate() -> Result<(), Broken> {
    act("rotate").await
}

#[on_signal(SIGUSR1)]
async fn mine() {
    say("mine");
}

/// Defines a hook for each of the other signals, which says the signal's name.
macro_rules! hear {
    ($($signal:ident $hook:ident)*) => {
        $(#[on_signal($signal)]
        async fn $hook() {
            say(stringify!($signal));
        })*

        const OTHERS: &[&HookMeta] = &[$($hook::META),*];
    };
}

hear! {
    SIGWINCH on_winch
    SIGALRM on_alrm
    SIGCHLD on_chld
    SIGCONT on_cont
    SIGIO on_io
    SIGPIPE on_pipe
    SIGPROF on_prof
    SIGTSTP on_tstp
    SIGTTIN on_ttin
    SIGTTOU on_ttou
    SIGURG on_urg
    SIGVTALRM on_vtalrm
    SIGXCPU on_xcpu
    SIGXFSZ on_xfsz
}

const MORE: [&HookMeta; 11] = [
    ping::META,
    alive::META,
    warm::META,
    faulty::META,
    fragile::META,
    stuck::META,
    slow::META,
    reload::META,
    announce::META,
    rotate::META,
    mine::META,
];

fn main() -> ExitCode {
    end_with_stdin();
    let names: Vec<String> = std::env::args().skip(1).collect();
    let is_named =
        |hook: &HookMeta| names.iter().any(|name| name.split('=').next() == Some(hook.name()));
    let others = OTHERS.iter().copied().filter(|_| names.contains(&"others".to_owned()));
    Lifecycle::of(
        BASE.into_iter().chain(MORE.into_iter().filter(|hook| is_named(hook))).chain(others),
    )
    .run()
}
