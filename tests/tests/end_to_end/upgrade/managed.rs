//! Upgrades under a service manager: it is told of a successor that is its own child.

use std::fs;

use nix::unistd::Pid;

use super::line::{Installed, Line, process_at};
use crate::harness::{Signal, own_address, program, system};
use crate::http::request;
use crate::systemd::manager::Manager;

/// Line about an upgrade for which there is no launcher.
const NO_LAUNCHER: &str = "there is no program `setsid`: after this upgrade, a stop by the service \
                           manager does not wait for requests; install util-linux, or restart";

#[test]
fn a_service_manager_is_told_of_a_successor_that_is_no_child_of_the_predecessor() {
    let (manager, address) = (Manager::new(), own_address());
    let mut line =
        Line::start(manager.notified(program!("routes").env("LIFECYCLE_BIND", &address)));
    manager.until("READY=1");
    let first = line.process;
    let mut client = line.begin_upload(&address);
    line.upgrade();
    // The predecessor still drains.
    assert!(system::is_running(line.process) && system::is_running(first));
    assert_eq!(system::children(first), [], "neither the successor nor its launcher");
    let mut lines = manager.until("MAINPID=");
    let main = format!("MAINPID={}", line.process);
    assert!(lines.contains(&main), "{lines:?}");
    line.program.wait_for(&format!("took over from process {first}"));
    client.write(b"cde").expect("it is connected");
    assert_eq!(client.response().expect("a response").body, "5");
    line.program.wait_while(|| system::is_running(first));
    lines.extend(manager.read_what_waits());
    let of_end = |line: &&String| line.starts_with("STOPPING=") || line.starts_with("EXIT_STATUS=");
    assert_eq!(lines.iter().find(of_end), None, "the service goes on: {lines:?}");
    assert_eq!(lines.iter().filter(|line| line.starts_with("MAINPID=")).count(), 1, "{lines:?}");
    // The next one is started by a process that is no child of the test.
    let second = line.process;
    line.upgrade();
    assert_ne!(line.process, second);
    manager.until(&format!("MAINPID={}", line.process));
    let ended = line.stop();
    ended.expect_code(0).expect_not_said(&["there is no program `setsid`"]);
    manager.until("EXIT_STATUS=0");
}

/// Scripts of successors that fail, and texts of the reasons that the predecessor says.
const FAILURES: [(&str, &str); 5] = [
    ("{run} db=fail", "failed: can't open the store: page 7 is unreadable"),
    (
        "{run} db=abort",
        "the successor ended before it was ready (only the service manager knows its exit status)",
    ),
    (
        "exit 7",
        "the successor ended before it was ready (only the service manager knows its exit status)",
    ),
    ("exec sleep 600", "the program that was started has said nothing for 2s"),
    ("trap '' TERM\nwhile :; do sleep 1; done", "the program that was started has said nothing"),
];

#[test]
fn a_detached_successor_that_fails_ends_and_leaves_the_predecessor_as_it_was() {
    let (manager, address) = (Manager::new(), own_address());
    let installed = Installed::new(env!("CARGO_BIN_EXE_service"));
    let start = installed.start().env("LIFECYCLE_BIND", &address);
    let start = start.env("LIFECYCLE_STARTUP_TIMEOUT", "2s").env("LIFECYCLE_GRACE", "4s");
    let mut line = Line::start(manager.notified(start));
    manager.until("READY=1");
    let first = line.process;
    let check = |line: &mut Line, reason: &str| {
        let said = line.fail();
        assert!(said.contains(reason), "no `{reason}` in: {said}");
        assert_eq!(process_at(&address), first);
        assert_eq!(request(&address, "GET /readyz").expect("a response").status, 200);
        assert_eq!(system::children(first), [], "{reason}");
    };
    let pid = installed.folder.path().join("pid");
    for (script, reason) in FAILURES {
        installed.replace_by_script(&format!("echo $$ > '{}'\n{script}", pid.display()));
        check(&mut line, reason);
        let process = fs::read_to_string(&pid).expect("a file");
        let process = Pid::from_raw(process.trim().parse().expect("a process id"));
        line.program.wait_while(|| system::is_running(process));
    }
    installed.replace_by("#!/bin/sh", "644");
    check(&mut line, "can't be started: Permission denied");
    installed.remove();
    check(&mut line, "can't be started: No such file or directory");
    let lines = manager.read_what_waits();
    assert!(!lines.iter().any(|line| line.starts_with("MAINPID=")), "{lines:?}");
    installed.restore();
    line.upgrade();
    line.program.wait_while(|| system::is_running(first));
    assert_eq!(process_at(&address), line.process);
    manager.until(&format!("MAINPID={}", line.process));
    line.stop().expect_code(0);
}

#[test]
fn a_stop_ends_the_detached_successor_that_is_still_starting() {
    let (manager, installed) = (Manager::new(), Installed::new(env!("CARGO_BIN_EXE_service")));
    let mut line = Line::start(manager.notified(installed.start()));
    installed.replace_by_script("{run} warm=wait");
    line.signal(Signal::SIGUSR2);
    line.program.wait_until_said_times("warm", 2);
    // This waits until nobody has its output open.
    let ended = line.stop();
    ended.expect_code(0).expect_said(&["no upgrade: the process was stopped meanwhile"]);
    assert_eq!(ended.stderr().matches("exit code 0").count(), 2, "{ended}");
}

#[test]
fn without_a_launcher_the_successor_is_a_child_and_a_line_says_what_that_costs() {
    let (manager, folder) = (Manager::new(), tempfile::tempdir().expect("a folder"));
    let start = program!("service").env("PATH", folder.path());
    let mut line = Line::start(manager.notified(start));
    line.upgrade();
    manager.until(&format!("MAINPID={}", line.process));
    let ended = line.stop();
    ended.expect_code(0).expect_said(&[NO_LAUNCHER]);
    // No service manager, nothing to say.
    let mut line = Line::start(program!("service").env("PATH", folder.path()));
    line.upgrade();
    line.stop().expect_code(0).expect_not_said(&["setsid"]);
}
