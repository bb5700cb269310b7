//! End of the process once its run is over: the exit code stands, and the grace period still holds.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use crate::harness::{Program, Signal, Start, program};
use crate::output::with_full_stderr;

/// Grace period of the programs that are told to have one.
const GRACE: Duration = Duration::from_secs(2);

const SIGNALS: [Signal; 3] = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT];

/// Stops a run whose process goes on for a while afterwards.
fn after_run(args: &str) -> Program {
    stopped(program!("process").args(args))
}

fn stopped(start: Start) -> Program {
    let mut program = start.without_env("LIFECYCLE_BIND").start().ready();
    program.signal(Signal::SIGTERM);
    program
}

#[test]
fn a_signal_after_the_run_does_not_change_the_exit_code() {
    for way in ["run", "run-inside"] {
        for signal in SIGNALS {
            let mut program = after_run(&format!("{way} main=wait"));
            program.wait_until_said("main drops");
            program.signal(signal);
            program.tell("main");
            program.end().expect_code(0).expect_did(&[
                "db",
                "flush",
                "close_db",
                "main drops",
                "main dropped",
            ]);
        }
    }
}

#[test]
fn a_signal_after_a_run_that_was_refused_does_not_change_the_exit_code() {
    let mut program = program!("process")
        .without_env("LIFECYCLE_BIND")
        .args("run main=wait")
        .env("LIFECYCLE_WORKER", "4")
        .start();
    program.wait_until_said("main drops");
    program.signal(Signal::SIGTERM);
    program.tell("main");
    program.end().expect_code(2).expect_did(&["main drops", "main dropped"]);
}

#[test]
fn a_signal_in_the_last_instant_does_not_change_the_exit_code() {
    let mut heard = 0;
    for _ in 0..50 {
        let mut program = after_run("run");
        program.wait_for("exit code 0");
        heard += u32::from(program.signal_if_running(Signal::SIGTERM));
        program.end().expect_code(0).expect_did(&["db", "flush", "close_db"]);
    }
    assert!(heard > 0, "nothing was tested: the program is always faster");
}

#[test]
fn a_signal_after_the_last_hook_does_not_change_the_exit_code_though_nobody_reads_of_it() {
    for _ in 0..10 {
        let (mut program, _reader) = with_full_stderr(program!("service"));
        program.signal(Signal::SIGTERM);
        program.wait_until_said("close_db");
        // Nobody reads the program's last lines, and it waits a moment for that.
        assert!(program.signal_if_running(Signal::SIGTERM));
        program.end().expect_code(0).expect_took(Duration::ZERO);
    }
}

#[test]
fn a_third_signal_ends_a_process_that_hangs_after_its_run_with_the_exit_code_of_the_run() {
    let mut program = after_run("run main=wait");
    program.wait_until_said("main drops");
    // The process hears signals of different kinds one by one.
    program.signal(Signal::SIGINT);
    program.signal(Signal::SIGQUIT);
    let ended = program.end();
    ended.expect_code(0).expect_did(&["db", "flush", "close_db", "main drops"]);
    ended.expect_said(&["third signal (", "the run was over before, exit code 0"]);
}

#[test]
fn the_grace_period_ends_a_process_that_hangs_after_its_run_with_the_exit_code_of_the_run() {
    for (fault, code) in [("", 0), (" flush=fail", 3)] {
        for held_up_by in ["main", "exit"] {
            let args = format!("run {held_up_by}=hang{fault} grace=2");
            let ended =
                stopped(program!("process").args(&args).without_env("LIFECYCLE_GRACE")).end();
            ended.expect_code(code).expect_took(GRACE);
            ended.expect_said(&[&format!(
                "the grace period of 2 s is over, exit at once: the run has ended, but not the \
                 process; see callbacks of `on_report` and what follows `run`, as a `Drop` in \
                 `main` or an exit handler, exit code {code}"
            )]);
        }
    }
}

#[test]
fn the_grace_period_ends_a_process_that_hangs_after_a_run_that_was_refused() {
    let start = program!("process").without_env("LIFECYCLE_BIND").args("run main=hang grace=2");
    let ended = start.env("LIFECYCLE_WORKER", "4").end();
    ended.expect_code(2).expect_took(GRACE).expect_said(&["the grace period of 2 s is over"]);
}

#[test]
fn a_run_that_follows_takes_the_process_over() {
    let mut program =
        program!("process").without_env("LIFECYCLE_BIND").args("again grace=2").start();
    program.wait_until_said("again");
    program.wait_for("ready after");
    let ready = std::time::Instant::now();
    // This is longer than the grace period of the first run.
    program.wait_while(|| ready.elapsed() < GRACE + Duration::from_millis(500));
    program.stop().expect_code(0).expect_not_said(&["is over"]).expect_said(&["stopped (SIGTERM)"]);
}

#[test]
fn a_process_whose_run_was_on_another_thread_goes_on_and_is_ended_by_a_signal() {
    let mut program = after_run("thread grace=2");
    program.wait_until_said("over");
    let over = std::time::Instant::now();
    program.wait_while(|| over.elapsed() < GRACE + Duration::from_millis(500));
    program.signal(Signal::SIGTERM);
    let ended = program.end();
    assert_eq!(ended.status.signal(), Some(Signal::SIGTERM as i32), "{}\n{ended}", ended.status);
    ended.expect_not_said(&["is over"]);
}

#[test]
fn the_report_is_looked_at_before_the_process_ends() {
    const BROKEN: &str = "failed: can't open the store: page 7 is unreadable: the disk is on fire";
    for way in ["run", "run-inside", "thread"] {
        for (fault, code, outcome) in [("", 0, "done"), (" flush=fail", 3, BROKEN)] {
            let mut program = after_run(&format!("{way} report=look{fault}"));
            program.wait_until_said(&format!("report {code} {outcome}"));
            if way == "thread" {
                program.wait_until_said("over");
                program.tell("exit");
            }
            program.end().expect_code(code);
        }
    }
}

#[test]
fn the_report_of_a_run_that_was_refused_is_looked_at() {
    let start = program!("process").without_env("LIFECYCLE_BIND").args("run report=look");
    start.env("LIFECYCLE_WORKER", "4").end().expect_code(2).expect_did(&["report 2 "]);
}

#[test]
fn who_looks_at_the_report_for_ever_has_the_time_of_the_stop() {
    for (fault, code) in [("", 0), (" flush=fail", 3)] {
        let args = format!("run report=hang grace=10{fault}");
        let ended = stopped(program!("process").args(&args).without_env("LIFECYCLE_GRACE")).end();
        // On a busy machine the watchdog may act first: the code is the same.
        ended.expect_code(code).expect_took(Duration::from_millis(9_500));
        ended
            .expect_said(&["a callback of `on_report` has not returned in the time of the stop, \
                             and is left behind"]);
    }
}
