//! Updates of a service of three copies in Docker Swarm, under load.
//!
//! ```console
//! cargo run --release -p lifecycle-deploy --bin swarm -- --updates 20
//! ```
//!
//! A Docker engine runs in namespaces of its own (mounts, network, processes), which end with the
//! program: no other engine and no interface of this machine is touched. It needs Linux, root,
//! `docker.io` and `haproxy`; otherwise the program says `SKIPPED` and the reason, and ends with
//! exit code 77.

#[cfg(target_os = "linux")]
mod busy;
#[cfg(target_os = "linux")]
mod engine;
#[cfg(target_os = "linux")]
mod image;
#[cfg(target_os = "linux")]
mod namespace;
#[cfg(target_os = "linux")]
mod service;

use std::process::ExitCode;

/// Exit code that says that the program could not do its work here, as automake has it.
const SKIPPED: u8 = 77;

/// Number of updates, unless `--updates` says otherwise.
const UPDATES: usize = 2;

/// Argument by which the program knows that it is in namespaces of its own.
#[cfg(target_os = "linux")]
const INSIDE: &str = "--inside";

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    let mut updates = UPDATES;
    let mut is_inside = false;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let number = (argument == "--updates").then(|| arguments.next()?.parse().ok()).flatten();
        match number {
            Some(number) => updates = number,
            None if argument == INSIDE => is_inside = true,
            None => {
                eprintln!("usage: swarm [--updates N]");
                return ExitCode::from(2);
            }
        }
    }
    if is_inside { inside(updates) } else { namespace::run_inside(updates) }
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    skipped("the engine needs Linux")
}

/// Says why the program can't do its work here.
fn skipped(reason: &str) -> ExitCode {
    eprintln!("SKIPPED, {reason}");
    ExitCode::from(SKIPPED)
}

/// Runs the engine and everything in it.
#[cfg(target_os = "linux")]
fn inside(updates: usize) -> ExitCode {
    let engine = match engine::Engine::start() {
        Ok(engine) => engine,
        Err(reason) => return skipped(&reason),
    };
    let done = image::make(&engine)
        .and_then(|()| service::update(&engine, updates))
        .and_then(|()| busy::stop(&engine));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
