//! Page of the listener for operators, in a real browser if one is installed.
#![cfg(unix)]

mod away;
mod browser;
mod following;
mod graph;
#[expect(dead_code, reason = "the end-to-end tests need more of it")]
#[path = "../end_to_end/harness/mod.rs"]
mod harness;
mod look;
mod many;
mod policy;
mod ready;
mod script;
mod stop;
mod views;

use browser::Browser;
use harness::{Program, Start, program};

/// Returns the start of a program with the listener on a free port of this machine.
fn start(args: &str) -> Start {
    shown(program!("admin")).args(args)
}

/// Gives a program the listener on a free port of this machine, and more time than a browser takes.
fn shown(program: Start) -> Start {
    patient(program).env("LIFECYCLE_ADMIN", "127.0.0.1:0")
}

/// Gives a program more time than a browser takes to see it start or stop.
fn patient(program: Start) -> Start {
    program.env("LIFECYCLE_STARTUP_TIMEOUT", "10m").env("LIFECYCLE_GRACE", "10m")
}

/// Waits until a program has a listener, and returns the URL of the page.
fn url_of(program: &mut Program) -> String {
    let line = program.wait_for("probes on http://");
    let address = line.rsplit('/').next().expect("a URL");
    format!("http://{address}/")
}

/// Starts a program and opens its page once it is ready; `None` if no browser is installed.
#[track_caller]
fn ready(start: Start) -> Option<(Program, Browser)> {
    let mut program = start.start().ready();
    let page = open(&mut program)?;
    page.wait_for("#state", "ready");
    Some((program, page))
}

/// Opens the page of a program; `None` if no browser is installed.
#[track_caller]
fn open(program: &mut Program) -> Option<Browser> {
    Browser::open(&url_of(program))
}
