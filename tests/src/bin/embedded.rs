//! Lifecycle inside of a program that goes on by itself:
//! `embedded run|run-inside|multi|current [OPTION]...`
//!
//! `run` leaves the process to the framework, `run-inside` does so from an async `main`, `multi`
//! and `current` await the run in a runtime of their own. A thread stops it when stdin says `stop`
//! or `hurry`. With `no-http` and `no-signals` it has neither. With `linger` the program goes on
//! afterwards until stdin says `exit`. With `begin=fail` the start fails. The program names no hook
//! of the library, and has all of them nevertheless.

use std::process::ExitCode;
use std::thread;

use actix_web::{App, web};
use lifecycle_runtime::{Lifecycle, StopHandle, on_shutdown, on_startup};
use lifecycle_tests::act::{end_with_stdin, heard, say, told_to};
use tokio::runtime::{Builder, Runtime};

#[on_startup]
async fn begin() -> Result<(), &'static str> {
    if told_to("begin") == "fail" { Err("the disk is on fire") } else { Ok(()) }
}

#[on_shutdown]
async fn finish() {
    say("finish");
}

async fn held() -> &'static str {
    say("held");
    heard("held").await;
    "held"
}

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// Stops the run on a command from stdin, on a thread that no lifecycle knows of.
fn stop_when_told(handle: StopHandle) {
    thread::spawn(move || {
        current_thread().block_on(async {
            tokio::select! {
                () = heard("stop") => handle.stop(),
                () = heard("hurry") => handle.hurry(),
            }
        });
    });
}

async fn served(lifecycle: Lifecycle) -> ExitCode {
    let report = lifecycle.serve().await;
    say(&format!("report: {report}"));
    // The runtime still belongs to the program.
    let task = tokio::spawn(async { "alive" });
    say(task.await.expect("no panic"));
    report.exit_code().into()
}

fn main() -> ExitCode {
    end_with_stdin();
    let is_told = |option: &str| std::env::args().any(|argument| argument == option);
    let mut lifecycle = Lifecycle::new().signals(!is_told("no-signals"));
    if !is_told("no-http") {
        lifecycle = lifecycle.http(|| App::new().route("/held", web::get().to(held)));
    }
    stop_when_told(lifecycle.stop_handle());
    let code = if is_told("run") {
        lifecycle.run()
    } else if is_told("run-inside") {
        current_thread().block_on(async { lifecycle.run() })
    } else if is_told("multi") {
        Runtime::new().expect("a runtime").block_on(served(lifecycle))
    } else {
        current_thread().block_on(served(lifecycle))
    };
    say("over");
    if is_told("linger") {
        current_thread().block_on(heard("exit"));
    }
    code
}
