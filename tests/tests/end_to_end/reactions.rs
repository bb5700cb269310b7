//! Hooks of signals: each signal is answered, a burst by one run, and no run outlives the stop.

use crate::harness::{Program, Signal, program};

const RELOADED: [&str; 2] = ["reload", "announce"];
const STOPPED: [&str; 2] = ["withdraw", "close_db"];

fn start(args: &str) -> Program {
    program!("recurring").args(args).without_env("LIFECYCLE_BIND").start()
}

#[test]
fn a_signal_runs_its_hooks_in_order_and_no_others() {
    let mut program = start("reload announce rotate mine").ready();
    program.signal(Signal::SIGHUP);
    program.wait_for("done announce");
    let ended = program.stop();
    ended.expect_code(0).expect_did(&[&["db"], &RELOADED[..], &STOPPED].concat());
    ended.expect_said(&["SIGHUP: run reload", "done reload in", "SIGHUP: run announce"]);
}

#[test]
fn every_signal_that_a_hook_may_name_is_heard() {
    let mut program = start("reload announce rotate mine others").ready();
    for (signal, said) in
        [(Signal::SIGHUP, "announce"), (Signal::SIGUSR1, "mine"), (Signal::SIGUSR2, "rotate")]
    {
        program.signal(signal);
        program.wait_until_said(said);
    }
    for signal in [
        Signal::SIGWINCH,
        Signal::SIGALRM,
        Signal::SIGCHLD,
        Signal::SIGCONT,
        Signal::SIGIO,
        Signal::SIGPIPE,
        Signal::SIGPROF,
        Signal::SIGTSTP,
        Signal::SIGTTIN,
        Signal::SIGTTOU,
        Signal::SIGURG,
        Signal::SIGVTALRM,
        Signal::SIGXCPU,
        Signal::SIGXFSZ,
    ] {
        program.signal(signal);
        program.wait_until_said(signal.as_str());
    }
    program.stop().expect_code(0);
}

#[test]
fn a_burst_of_signals_is_one_more_run() {
    let mut program = start("reload=wait announce").ready();
    program.signal(Signal::SIGHUP);
    program.wait_until_said("reload");
    (0..20).for_each(|_| program.signal_at_once(Signal::SIGHUP));
    // The thread that hears signals handles this one after the last of the others.
    program.signal(Signal::SIGUSR1);
    program.wait_for("ready for ");
    program.tell("reload");
    program.wait_for_times("done announce", 2);
    let ended = program.stop();
    ended.expect_code(0).expect_did(&[&["db"], &RELOADED[..], &RELOADED, &STOPPED].concat());
}

#[test]
fn a_hook_that_fails_is_told_of_and_stops_nothing() {
    let mut program = start("reload=fail announce=panic rotate=hang").ready();
    program.signal(Signal::SIGHUP);
    program.wait_for("hook `announce` (tests/src/bin/recurring.rs:");
    program.signal(Signal::SIGUSR2);
    program.wait_for("hook `rotate` (tests/src/bin/recurring.rs:");
    let ended = program.stop();
    ended
        .expect_code(0)
        .expect_did(&[&["db"], &RELOADED[..], &["rotate", "rotate dropped"], &STOPPED].concat());
    ended.expect_said(&[
        "failed: can't open the store: page 7 is unreadable: the disk is on fire",
        "panicked: announce has no idea",
        "ran into its timeout and was cancelled",
    ]);
}

#[test]
fn the_stop_waits_for_a_hook_that_runs_and_begins_no_other() {
    let mut program = start("reload=wait announce").ready();
    program.signal(Signal::SIGHUP);
    program.wait_until_said("reload");
    program.signal(Signal::SIGTERM);
    program.wait_for("waiting for reload ");
    program.tell("reload");
    program.end().expect_code(0).expect_did(&["db", "reload", "withdraw", "close_db"]);
}

#[test]
fn a_second_signal_to_stop_cancels_it() {
    let mut program = start("reload=hang").ready();
    program.signal(Signal::SIGHUP);
    program.wait_until_said("reload");
    program.signal(Signal::SIGTERM);
    program.wait_for("stopping (SIGTERM)");
    program.signal(Signal::SIGTERM);
    let ended = program.end();
    ended
        .expect_code(0)
        .expect_took(std::time::Duration::ZERO)
        .expect_said(&["reload was cancelled"]);
    let did = ended.did();
    let place = |said: &str| did.iter().position(|line| *line == said);
    assert!(place("reload dropped").is_some_and(|at| Some(at) < place("close_db")), "\n{ended}");
}

#[test]
fn a_signal_during_the_start_is_answered_when_it_is_over() {
    let mut program = start("db=wait reload announce");
    program.wait_until_said("db");
    program.signal(Signal::SIGHUP);
    // The thread that hears signals handles this one after the other.
    program.signal(Signal::SIGUSR1);
    program.wait_for("starting for ");
    program.tell("db");
    program.wait_for("done announce");
    program.stop().expect_code(0).expect_did(&[&["db"], &RELOADED[..], &STOPPED].concat());
}

#[test]
fn a_hook_may_take_sigusr1() {
    let mut program = start("mine").ready();
    program.signal(Signal::SIGUSR1);
    program.wait_until_said("mine");
    program.stop().expect_code(0).expect_not_said(&["ready for"]);
}

#[test]
fn no_signal_changes_how_a_process_ends() {
    let mut program = start("reload rotate");
    program.signal_until(Signal::SIGHUP, "ready after");
    program.signal(Signal::SIGTERM);
    program.signal_until(Signal::SIGUSR2, "exit code 0");
    (0..1000).for_each(|_| program.signal_at_once(Signal::SIGHUP));
    program.end().expect_code(0);
}
