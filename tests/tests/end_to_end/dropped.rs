//! Run that nobody awaits any more: the future of `serve` was dropped.

use std::os::unix::process::ExitStatusExt;

use crate::harness::{Signal, program, system};

const MODES: [&str; 2] = ["dropped-multi", "dropped-current"];

#[test]
fn a_run_whose_future_is_dropped_stops_in_order() {
    for mode in MODES {
        let mut program =
            program!("process").without_env("LIFECYCLE_BIND").args(mode).start().ready();
        program.tell("drop");
        program.wait_for("stopped (the future of `serve` was dropped)");
        program.tell("exit");
        let ended = program.end();
        ended.expect_code(0).expect_said(&["stopping (the future of `serve` was dropped)"]);
        let hooks: Vec<_> = ended
            .did()
            .into_iter()
            .filter(|line| ["db", "flush", "close_db"].contains(line))
            .collect();
        assert_eq!(hooks, ["db", "flush", "close_db"], "{mode}\n{ended}");
    }
}

#[test]
fn the_report_of_a_run_that_nobody_awaits_is_looked_at() {
    for mode in MODES {
        let start =
            program!("process").without_env("LIFECYCLE_BIND").args(&format!("{mode} report=look"));
        let mut program = start.start().ready();
        program.tell("drop");
        program.wait_until_said("report 0 done");
        program.tell("exit");
        program.end().expect_code(0);
    }
}

#[test]
fn a_run_whose_future_is_dropped_hears_signals_until_its_end() {
    for mode in MODES {
        let mut program = program!("process")
            .without_env("LIFECYCLE_BIND")
            .args(&format!("{mode} flush=wait"))
            .start()
            .ready();
        program.tell("drop");
        program.wait_until_said("flush");
        program.signal(Signal::SIGTERM);
        program.signal(Signal::SIGINT);
        program.wait_for("hurrying");
        program.tell("flush");
        program.wait_for("exit code 0");
        program.tell("exit");
        program.end().expect_code(0);
    }
}

#[test]
fn a_start_whose_future_is_dropped_is_taken_back() {
    for mode in MODES {
        let start =
            program!("process").without_env("LIFECYCLE_BIND").args(&format!("{mode} db=hang"));
        let mut program = start.start();
        program.wait_until_said("db");
        program.tell("drop");
        program.wait_for("stopped (the future of `serve` was dropped)");
        let pid = program.pid();
        program.wait_while(|| {
            cfg!(target_os = "linux") && system::has_thread(pid, "lifecycle-signals")
        });
        program.tell("exit");
        let ended = program.end();
        ended.expect_code(0).expect_said(&[
            "stopped during the start (the future of `serve` was dropped)",
            "exit code 0",
        ]);
        // No hook had started, so there is nothing to tear down.
        ended.expect_not_said(&["ready"]);
        let hooks: Vec<_> = ended
            .did()
            .into_iter()
            .filter(|line| !["serve dropped", "over"].contains(line))
            .collect();
        assert_eq!(hooks, ["db", "db dropped"], "{mode}\n{ended}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_signal_after_its_end_ends_the_process_by_default() {
    for mode in MODES {
        let mut program =
            program!("process").without_env("LIFECYCLE_BIND").args(mode).start().ready();
        program.tell("drop");
        program.wait_for("exit code 0");
        let pid = program.pid();
        program.wait_while(|| system::has_thread(pid, "lifecycle-signals"));
        program.signal(Signal::SIGTERM);
        let ended = program.end();
        assert_eq!(
            ended.status.signal(),
            Some(Signal::SIGTERM as i32),
            "{mode}: {}\n{ended}",
            ended.status
        );
    }
}

#[test]
fn a_run_whose_runtime_goes_away_says_that_it_was_cut_short() {
    let mut program =
        program!("process").without_env("LIFECYCLE_BIND").args("runtime-gone").start().ready();
    program.tell("drop");
    program.wait_until_said("gone");
    program.wait_for(
        "the async runtime went away, and the run with it: what had started was not torn down",
    );
    program.signal(Signal::SIGTERM);
    let ended = program.end();
    assert_eq!(ended.status.signal(), Some(Signal::SIGTERM as i32), "{}\n{ended}", ended.status);
}

#[test]
fn a_run_that_is_over_when_its_runtime_goes_away_was_not_cut_short() {
    let ended = program!("process").without_env("LIFECYCLE_BIND").args("in-turn").end();
    ended.expect_code(0).expect_not_said(&["went away", "panicked"]);
}
