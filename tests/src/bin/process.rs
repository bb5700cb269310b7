//! Program with code around its run and behind it: `process MODE [HOOK=FAULT | OPTION]...`
//!
//! | mode | the run |
//! |---|---|
//! | `run`, `run-inside` | by `run`, from `main` or from an async `main` |
//! | `thread` | by `run`, on another thread |
//! | `again` | by `run`, which stops itself at once; then a second one |
//! | `dropped-multi`, `dropped-current` | by `serve`, whose future is dropped at `drop` on stdin |
//! | `runtime-gone` | by `serve` on a runtime that goes away when stdin says `drop` |
//! | `in-turn` | 50 times by `serve`, each on a runtime that goes away as soon as the run is over |
//!
//! After `thread`, `dropped-…` and `runtime-gone` the program goes on until stdin says `exit`.
//!
//! `report=look` and `report=hang` are about the callback that takes the report. `file=PATH` is the
//! file that the report is written to, and `lines=json` the form of the console's lines.
//!
//! `main=wait` and `main=hang` are about a value of `main` that is dropped after the run.
//! `exit=hang` is about a value of its thread, which is dropped when `main` has returned.
//! `grace=SECONDS` sets the grace period of a run. In the mode `again` it is that of the first run.

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use lifecycle_runtime::hook::Hook;
use lifecycle_runtime::{
    ConsoleFormat, Dep, Lifecycle, Report, StopHandle, on_ready, on_shutdown, on_startup,
};
use lifecycle_tests::act::{Broken, act, end_with_stdin, has_heard, heard, say, told_to};
use tokio::runtime::{Builder, Runtime};

#[on_startup]
async fn db() -> Result<String, Broken> {
    end_with_stdin();
    act("db").await?;
    Ok("rows".to_owned())
}

#[on_shutdown]
async fn flush(_db: Dep<db>) -> Result<(), Broken> {
    act("flush").await
}

#[on_shutdown(of = db)]
async fn close_db(_db: Dep<db>) -> Result<(), Broken> {
    act("close_db").await
}

#[on_ready]
async fn stop_at_once(handle: StopHandle) {
    handle.stop();
}

/// Value that says when it is dropped, and does in its drop what the arguments tell it to.
struct SlowToDrop(&'static str);

impl Drop for SlowToDrop {
    fn drop(&mut self) {
        if told_to(self.0).is_empty() {
            return;
        }
        say(&format!("{} drops", self.0));
        match &*told_to(self.0) {
            "hang" => thread::sleep(Duration::from_secs(600)),
            _ => {
                while !has_heard(self.0) {
                    thread::sleep(Duration::from_millis(2));
                }
            }
        }
        say(&format!("{} dropped", self.0));
    }
}

thread_local! {
    static EXIT: SlowToDrop = const { SlowToDrop("exit") };
}

fn lifecycle() -> Lifecycle {
    let mut lifecycle = Lifecycle::of([db::META, flush::META, close_db::META]);
    if !told_to("file").is_empty() {
        lifecycle = lifecycle.report_file(told_to("file"));
    }
    if told_to("lines") == "json" {
        lifecycle = lifecycle.console_format(ConsoleFormat::Json);
    }
    if told_to("report").is_empty() { lifecycle } else { lifecycle.on_report(look_at) }
}

/// Prints the exit code and an outcome of the report, and then hangs if it is told to.
fn look_at(report: &Report) {
    let flushed = report.outcome(flush::META).map(ToString::to_string).unwrap_or_default();
    say(&format!("report {} {flushed}", report.exit_code()));
    if told_to("report") == "hang" {
        thread::sleep(Duration::from_secs(600));
    }
}

/// Sets the grace period, if the arguments have one.
fn with_grace(lifecycle: Lifecycle) -> Lifecycle {
    match told_to("grace").parse() {
        Ok(seconds) => lifecycle.grace(Duration::from_secs(seconds)),
        Err(_) => lifecycle,
    }
}

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// Awaits a run until stdin says `drop`, and then something else until it says `exit`.
async fn dropped() {
    tokio::select! {
        report = lifecycle().serve() => say(&format!("report: {report}")),
        () = heard("drop") => say("serve dropped"),
    }
    heard("exit").await;
}

fn main() -> ExitCode {
    // Reading stdin takes a thread, but `run` has to begin without any other thread. So the startup
    // hook begins to read.
    let _of_main = SlowToDrop("main");
    EXIT.with(|_| {});
    match &*std::env::args().nth(1).unwrap_or_default() {
        "run" => return with_grace(lifecycle()).run(),
        "run-inside" => return current_thread().block_on(async { with_grace(lifecycle()).run() }),
        "thread" => {
            let code = thread::spawn(|| with_grace(lifecycle()).run()).join().expect("no panic");
            say("over");
            current_thread().block_on(heard("exit"));
            return code;
        }
        "again" => {
            let once = with_grace(Lifecycle::of([stop_at_once::META]));
            assert_eq!(once.run(), ExitCode::SUCCESS);
            say("again");
            return lifecycle().run();
        }
        "dropped-multi" => Runtime::new().expect("a runtime").block_on(dropped()),
        "dropped-current" => current_thread().block_on(dropped()),
        "runtime-gone" => {
            let runtime = Runtime::new().expect("a runtime");
            let task = runtime.spawn(lifecycle().serve());
            current_thread().block_on(heard("drop"));
            drop(runtime);
            drop(task);
            say("gone");
            current_thread().block_on(heard("exit"));
        }
        "in-turn" => {
            for _ in 0..50 {
                let runtime = Runtime::new().expect("a runtime");
                let report = runtime.block_on(Lifecycle::of([stop_at_once::META]).serve());
                drop(runtime);
                assert_eq!(report.exit_code(), 0);
            }
        }
        mode => panic!("there is no mode `{mode}`"),
    }
    say("over");
    ExitCode::SUCCESS
}
