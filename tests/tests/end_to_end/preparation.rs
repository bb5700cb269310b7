//! Signals before the first hook: during the preparation of a run, and when the process has
//! inherited them as blocked.
#![cfg(target_os = "linux")]

use std::io::{PipeReader, pipe};
use std::net::UdpSocket;
use std::process::Command;
use std::time::Duration;

use lifecycle_tests::skipped;
use nix::sys::signal::{SigSet, kill};
use tempfile::TempDir;

use crate::harness::{LIMIT, Program, Signal, Start, own_address, program, system};
use crate::output::fill;

/// Starts a program whose preparation lasts until somebody reads: it prints its plan to a pipe that
/// is full.
fn preparing(start: Start) -> (Program, PipeReader) {
    let (reader, writer) = pipe().expect("a pipe");
    fill(&writer);
    (start.env("LIFECYCLE_PLAN", "text").stdout(writer).start(), reader)
}

#[test]
fn a_signal_during_the_preparation_stops_the_start() {
    for mode in ["run", "run-inside", "dropped-multi", "dropped-current"] {
        let (mut program, _reader) =
            preparing(program!("process").without_env("LIFECYCLE_BIND").args(mode));
        let pid = program.pid();
        // The system may give a signal to another thread before the thread for signals hears any.
        program.wait_while(|| {
            !system::catches(pid, Signal::SIGTERM) || !system::has_thread(pid, "lifecycle-signals")
        });
        program.signal(Signal::SIGTERM);
        program.wait_for("stopped before the start: SIGTERM: nothing was started, exit code 0");
        if mode.starts_with("run") {
            program.end().expect_code(0);
        }
    }
}

#[test]
fn a_signal_in_the_instant_in_which_its_default_action_goes_is_heard() {
    for _ in 0..100 {
        let mut program = program!("process").without_env("LIFECYCLE_BIND").args("run").start();
        let pid = program.pid();
        while !system::catches(pid, Signal::SIGTERM) {
            assert!(!program.has_exited());
        }
        program.signal(Signal::SIGTERM);
        // The signal stops the start, or the hooks that have started by then.
        let ended = program.end();
        assert_eq!(ended.status.code(), Some(0), "{}\n{ended}", ended.status);
        ended.expect_said(&["SIGTERM"]);
    }
}

#[test]
fn a_signal_for_hooks_or_for_the_state_does_not_end_the_preparation() {
    let (mut program, mut reader) =
        preparing(program!("recurring").args("reload").without_env("LIFECYCLE_BIND"));
    let pid = program.pid();
    let signals = [Signal::SIGHUP, Signal::SIGUSR1];
    program.wait_while(|| !signals.iter().all(|signal| system::catches(pid, *signal)));
    for signal in signals {
        program.signal(signal);
    }
    program.wait_for("no hook has begun: settings, plan and addresses are being prepared");
    std::io::copy(&mut reader, &mut std::io::sink()).expect("the plan");
    program.end().expect_code(0).expect_not_said(&["stopped before the start"]);
}

#[test]
fn the_first_process_of_a_container_hears_a_signal_during_the_preparation() {
    let mut unshare = Command::new("unshare");
    unshare.args(["--pid", "--fork", "--kill-child", "true"]);
    if !unshare.status().is_ok_and(|status| status.success()) {
        return skipped("there is no `unshare` here, or it may make no namespace");
    }
    let start = Start::new("unshare").without_env("LIFECYCLE_BIND");
    let args = format!("--pid --fork --kill-child {} run", env!("CARGO_BIN_EXE_process"));
    let (mut program, _reader) = preparing(start.args(&args));
    let unshare = program.pid();
    let first = || system::child(unshare).filter(|first| system::catches(*first, Signal::SIGTERM));
    program.wait_while(|| first().is_none());
    kill(first().expect("a process"), Signal::SIGTERM).expect("it runs");
    program
        .end()
        .expect_code(0)
        .expect_said(&["stopped before the start: SIGTERM: nothing was started, exit code 0"]);
}

/// Resolver that gets questions and never answers, and a folder with the files that make a system
/// ask it.
struct SilentResolver {
    socket: UdpSocket,
    folder: TempDir,
}

impl SilentResolver {
    /// Starts the resolver. Returns `None` where that is impossible.
    fn start() -> Option<Self> {
        let address = own_address();
        let (host, _) = address.split_once(':').expect("a port");
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text);
        write("resolv.conf", &format!("nameserver {host}\noptions timeout:30 attempts:2\n"))
            .expect("a place for a file");
        write("nsswitch.conf", "hosts: dns\n").expect("a place for a file");
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "/bin/sh", "-c", &format!("{MOUNT} true")]);
        let mounts = unshare.env("FILES", folder.path()).output();
        // Resolvers listen on port 53.
        let socket = UdpSocket::bind((host, 53)).ok()?;
        socket.set_read_timeout(Some(LIMIT)).expect("a time");
        mounts.is_ok_and(|output| output.status.success()).then_some(Self { socket, folder })
    }

    /// Returns a program that asks this resolver for every name that it is told to listen on.
    fn asked_by(&self) -> Start {
        let script = format!("{MOUNT} \"$0\" \"$@\"");
        Start::unshared(env!("CARGO_BIN_EXE_routes"), &script).env("FILES", self.folder.path())
    }
}

const MOUNT: &str = "mount --bind \"$FILES/resolv.conf\" /etc/resolv.conf && \
                     mount --bind \"$FILES/nsswitch.conf\" /etc/nsswitch.conf && exec";

#[test]
fn a_signal_while_an_address_resolves_stops_the_start() {
    let Some(resolver) = SilentResolver::start() else {
        return skipped(
            "there is no `unshare` here, or it may mount nothing, or port 53 is not free",
        );
    };
    let starts = [
        ("first", resolver.asked_by().env("LIFECYCLE_BIND", "first.test:80")),
        ("second", resolver.asked_by().env("LIFECYCLE_ADMIN", "second.test:80")),
        ("third", resolver.asked_by().without_env("LIFECYCLE_BIND").args("address=third.test:80")),
    ];
    for (name, start) in starts {
        let mut program = start.start();
        let mut question = [0; 512];
        loop {
            let length = resolver.socket.recv(&mut question).expect("somebody asks");
            // The program before may have asked for both kinds of address.
            if question[..length].windows(name.len()).any(|part| part == name.as_bytes()) {
                break;
            }
        }
        program.signal(Signal::SIGTERM);
        let ended = program.end();
        ended.expect_code(0).expect_took(Duration::ZERO);
        ended.expect_said(&["stopped before the start: SIGTERM: nothing was started, exit code 0"]);
    }
}

/// Starts a program with signals that it inherits as blocked.
fn with_blocked(signals: &[Signal], start: Start) -> Program {
    let blocked: SigSet = signals.iter().copied().collect();
    blocked.thread_block().expect("a set of signals");
    let program = start.start();
    blocked.thread_unblock().expect("a set of signals");
    program
}

#[test]
fn a_signal_that_stops_is_heard_though_the_process_was_started_with_it_blocked() {
    for mode in ["run", "run-inside", "dropped-multi", "dropped-current"] {
        let start = program!("process").without_env("LIFECYCLE_BIND").args(mode);
        let mut program = with_blocked(&[Signal::SIGTERM, Signal::SIGINT], start).ready();
        program.signal(Signal::SIGTERM);
        program.wait_for("stopped (SIGTERM)");
        if mode.starts_with("dropped") {
            program.tell("exit");
        }
        program.end().expect_code(0);
    }
}

#[test]
fn a_signal_for_hooks_or_for_the_state_is_heard_though_the_process_was_started_with_it_blocked() {
    let blocked = [Signal::SIGHUP, Signal::SIGUSR1];
    let start = program!("recurring").args("reload").without_env("LIFECYCLE_BIND");
    let mut program = with_blocked(&blocked, start).ready();
    program.signal(Signal::SIGUSR1);
    program.wait_for("lifecycle: ready for ");
    program.signal(Signal::SIGHUP);
    program.wait_until_said("reload");
    program.stop().expect_code(0);
}
