//! Programs as a person runs them: real processes, real signals, real sockets.
//!
//! Each test starts a program of `src/bin`, waits on conditions, and looks at its output and its
//! exit code.
#![cfg(unix)]

mod aborting;
mod accept_queue;
mod admin;
mod after_run;
mod blocked;
mod busy;
mod checks;
mod code;
mod configuration;
mod connections;
mod console_forms;
mod defaults;
mod drain;
mod dropped;
#[cfg(target_os = "linux")]
mod emulator;
mod harness;
mod held;
mod http2;
mod idle;
mod in_flight;
mod inherited;
mod live;
#[cfg(target_os = "linux")]
mod live_lines;
mod manifests;
mod messages;
mod output;
mod panics;
mod phases;
mod preparation;
mod probes;
mod reactions;
mod report_file;
#[cfg(target_os = "linux")]
mod scarcity;
mod services;
mod shutdown;
mod signals;
mod sockets;
mod stalls;
mod startup;
mod stop_causes;
mod stop_sequence;
mod streams;
mod stuck;
#[cfg(target_os = "linux")]
mod systemd;
mod tasks;
mod terminal;
mod termination_log;
mod tls;
mod unix_sockets;
mod unopened;
mod upgrade;
mod versions;
mod websocket;

use harness::{Start, program};
use lifecycle_tests::{http, load};

/// Lines that the hooks of `service` say at a start without failures.
const STARTED: [&str; 3] = ["db", "cache", "warm"];
const STOPPED: [&str; 4] = ["flush", "audit", "cache dropped", "close_db"];

/// Returns the start of `handlers` with a server and these hooks.
fn serve(hooks: &str) -> Start {
    program!("handlers").args(&format!("serve {hooks}"))
}
