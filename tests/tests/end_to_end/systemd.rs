//! Notifications to a service manager, which the test takes the place of: their order in a start, a
//! reload and a stop, more time where it is needed, signs of life, and a socket that is of no use.

pub(crate) mod manager;
mod store;

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use manager::Manager;

use crate::harness::{Program, Signal, Start, program};
use crate::http::request;

#[test]
fn a_service_manager_is_notified_of_the_start_and_the_stop() {
    let manager = Manager::new();
    let mut program = manager.start(program!("handlers").args("serve")).ready();
    let address = program.address();
    let start = manager.until("READY=1");
    assert_eq!(
        start[start.len() - 2..],
        ["READY=1".to_owned(), format!("STATUS=ready, listening on http://{address}")]
    );
    program.signal(Signal::SIGTERM);
    let stop = manager.until("STOPPING=1");
    assert_eq!(stop, ["STOPPING=1", "STATUS=stopping (SIGTERM)", "EXTEND_TIMEOUT_USEC=10000000"]);
    program.end().expect_code(0);
    let end = manager.until("EXIT_STATUS=");
    assert_eq!(end[end.len() - 2], "EXIT_STATUS=0");
    let status = &end[end.len() - 1];
    assert!(status.starts_with("STATUS=stopped (SIGTERM) in "), "{status}");
    assert!(status.ends_with(", exit code 0"), "{status}");
}

#[test]
fn the_status_of_a_start_that_fails_is_its_failure() {
    let manager = Manager::new();
    manager.start(program!("service").args("warm=fail")).end().expect_code(1);
    let lines = manager.until("EXIT_STATUS=1");
    assert!(!lines.contains(&"READY=1".to_owned()), "{lines:?}");
    let failure = "start failed: hook `warm` (tests/src/bin/service.rs:";
    let stop = lines.iter().position(|line| line == "STOPPING=1").expect("a stop");
    assert!(lines[stop + 1].starts_with(&format!("STATUS={failure}")), "{lines:?}");
    let status = lines.last().expect("a status");
    assert!(status.starts_with(&format!("STATUS={failure}")), "{status}");
    assert!(status.ends_with(", exit code 1"), "{status}");
}

#[test]
fn the_status_of_a_program_that_starts_nothing_is_the_reason() {
    let manager = Manager::new();
    let start = program!("service").env("LIFECYCLE_WORKERS", "none");
    manager.start(start).end().expect_code(2);
    let lines = manager.until("EXIT_STATUS=2");
    assert_eq!(lines.len(), 2, "{lines:?}");
    let expected = "STATUS=not started, exit code 2: LIFECYCLE_WORKERS=none: not a number";
    assert!(lines[1].starts_with(expected), "{lines:?}");
}

#[test]
fn the_status_of_a_forced_exit_is_its_cause() {
    let manager = Manager::new();
    let mut program = manager.start(program!("service").args("flush=hang")).ready();
    for _ in 0..3 {
        program.signal(Signal::SIGTERM);
    }
    program.end().expect_code(128 + 15);
    let lines = manager.until("EXIT_STATUS=143");
    assert!(lines.last().is_some_and(|status| status.contains("SIGTERM")), "{lines:?}");
}

#[test]
fn a_reload_begins_with_the_signal_and_ends_with_its_last_hook() {
    let manager = Manager::new();
    let start = program!("recurring").args("reload=wait announce").without_env("LIFECYCLE_BIND");
    let mut program = manager.start(start).ready();
    manager.until("READY=1");
    program.signal(Signal::SIGHUP);
    let begin = manager.until("RELOADING=1");
    let time = begin[1].strip_prefix("MONOTONIC_USEC=").expect("the time of its begin");
    assert!(time.parse::<u64>().is_ok_and(|time| time > 0), "{time}");
    program.tell("reload");
    assert_eq!(manager.until("READY=1")[0], "READY=1");
    // No hook of the same signal is a reload of its own.
    program.wait_until_said("announce");
    program.stop().expect_code(0).expect_did(&["db", "reload", "announce", "withdraw", "close_db"]);
    let lines = manager.until("EXIT_STATUS=0");
    assert!(!lines.contains(&"RELOADING=1".to_owned()), "{lines:?}");
}

/// Returns the times that lines ask for, in microseconds.
fn extensions(lines: &[String]) -> Vec<u64> {
    let time = |line: &String| line.strip_prefix("EXTEND_TIMEOUT_USEC=")?.parse().ok();
    lines.iter().filter_map(time).collect()
}

#[test]
fn a_start_that_takes_long_asks_for_time_until_it_is_ready_and_says_what_it_waits_for() {
    let manager = Manager::new();
    let start = program!("service").args("db=wait").env("LIFECYCLE_STARTUP_TIMEOUT", "10m");
    let mut program = manager.start(start);
    let lines = manager.until("STATUS=starting: waiting for db ");
    let times = extensions(&lines);
    assert!(times.len() >= 3, "{lines:?}");
    assert!(times.iter().all(|time| *time == 10_000_000), "{lines:?}");
    program.tell("db");
    manager.until("READY=1");
    program.ready().stop().expect_code(0);
}

#[test]
fn a_start_asks_for_no_more_time_than_its_own_limit_leaves() {
    let manager = Manager::new();
    let start = program!("service").args("db=hang").env("LIFECYCLE_STARTUP_TIMEOUT", "2s");
    manager.start(start).end().expect_code(1);
    let lines = manager.until("STOPPING=1");
    let times = extensions(&lines);
    assert_eq!(times[0], 3_000_000, "2 s and a margin: {lines:?}");
    // The last one is about the stop.
    let of_start = &times[..times.len() - 1];
    assert!(of_start.is_sorted_by(|earlier, later| earlier >= later), "{lines:?}");
}

#[test]
fn a_stop_that_takes_long_asks_for_time_until_its_end() {
    let manager = Manager::new();
    let start = program!("service").args("flush=wait").env("LIFECYCLE_GRACE", "10m");
    let mut program = manager.start(start).ready();
    program.signal(Signal::SIGTERM);
    manager.until("STOPPING=1");
    let mut times = Vec::new();
    while times.len() < 3 {
        times.extend(extensions(&manager.until("EXTEND_TIMEOUT_USEC=")));
    }
    assert!(times.iter().all(|time| *time == 10_000_000), "{times:?}");
    manager.until("STATUS=stopping (SIGTERM): waiting for flush ");
    program.tell("flush");
    program.end().expect_code(0);
    manager.until("EXIT_STATUS=0");
}

fn stalls(manager: &Manager) -> Program {
    let start = program!("stalls").env("WATCHDOG_USEC", "1000000");
    let start = start.env("LIFECYCLE_STALL_AFTER", "1s").env("LIFECYCLE_STALL_TIMEOUT", "1s");
    manager.start(start).ready()
}

#[test]
fn signs_of_life_fail_to_come_while_a_runtime_is_blocked() {
    let manager = Manager::new();
    let mut program = stalls(&manager);
    for _ in 0..3 {
        manager.until("WATCHDOG=1");
    }
    program.tell("hooks");
    program.wait_for("; /livez fails");
    // What is tested is that nothing more comes in this time. One that was given before may have
    // waited for room.
    let lines = [(); 2].map(|()| {
        manager.read_what_waits();
        std::thread::sleep(Duration::from_secs(2));
        manager.read_what_waits()
    });
    assert_eq!(lines[1], Vec::<String>::new());
    program.tell("hooks go on");
    manager.until("WATCHDOG=1");
    program.stop().expect_code(0);
}

#[test]
fn signs_of_life_that_are_expected_of_another_process_do_not_come() {
    let manager = Manager::new();
    let start = program!("service").env("WATCHDOG_USEC", "20000").env("WATCHDOG_PID", "1");
    let mut program = manager.start(start).ready();
    manager.until("READY=1");
    program.signal(Signal::SIGTERM);
    let lines = manager.until("EXIT_STATUS=0");
    program.end().expect_code(0);
    assert!(!lines.contains(&"WATCHDOG=1".to_owned()), "{lines:?}");
}

#[test]
fn a_time_of_nonsense_is_told_once_and_everything_else_works() {
    let manager = Manager::new();
    let program = manager.start(program!("service").env("WATCHDOG_USEC", "soon")).ready();
    manager.until("READY=1");
    let ended = program.stop();
    ended.expect_code(0);
    let line = "WATCHDOG_USEC=soon is no time in microseconds: the service manager gets no";
    assert_eq!(ended.stderr().matches(line).count(), 1, "{ended}");
}

#[test]
fn a_socket_that_is_gone_is_told_once_and_holds_nothing_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("gone").display().to_string();
    for socket in [path.as_str(), "@lifecycle-no-such-name"] {
        let mut program = program!("service").env("NOTIFY_SOCKET", socket).start().ready();
        program.wait_for(&format!("can't notify the service manager ({socket}): "));
        let ended = program.stop();
        ended.expect_code(0);
        assert_eq!(ended.stderr().matches("can't notify").count(), 1, "{ended}");
    }
    let ended = program!("service").env("NOTIFY_SOCKET", "nowhere").start().ready().stop();
    let line = "NOTIFY_SOCKET=nowhere: neither a path nor an abstract name";
    ended.expect_code(0).expect_said(&[line]);
}

#[test]
fn a_socket_that_nobody_reads_is_told_once_and_holds_nothing_up() {
    let manager = Manager::new();
    // Signs of life fill the socket.
    let mut program = manager.start(program!("service").env("WATCHDOG_USEC", "20000")).ready();
    program.wait_for("can't notify the service manager (");
    assert_eq!(request(&program.address(), "GET /").expect("a response").status, 200);
    let ended = program.stop();
    ended.expect_code(0).expect_said(&["): it reads nothing"]);
    assert_eq!(ended.stderr().matches("can't notify").count(), 1, "{ended}");
}

#[test]
fn a_run_in_a_runtime_of_the_program_is_notified_too() {
    for mode in ["dropped-multi", "dropped-current"] {
        let manager = Manager::new();
        let start = program!("process").args(mode).without_env("LIFECYCLE_BIND");
        let mut program = manager.start(start.env("WATCHDOG_USEC", "1000000")).ready();
        manager.until("READY=1");
        manager.until("WATCHDOG=1");
        program.tell("drop");
        manager.until("STOPPING=1");
        let lines = manager.until("EXIT_STATUS=0");
        let status = lines.last().expect("a status");
        assert!(status.starts_with("STATUS=stopped (the future of `serve` was dropped)"), "{mode}");
        program.tell("exit");
        program.end().expect_code(0);
    }
}

#[test]
fn an_abstract_socket_is_notified_too() {
    let manager = Manager::with_abstract_name();
    let program = manager.start(program!("service")).ready();
    manager.until("READY=1");
    program.stop().expect_code(0);
}

/// Returns the lines that a start that fails writes to a file, where this is the stream to the
/// journal.
fn lines_in_journal(stream: impl Fn(&File) -> String, start: Start) -> Vec<String> {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    let stream = stream(file.as_file());
    let stderr = file.reopen().expect("the file");
    start.args("warm=fail").env("JOURNAL_STREAM", stream).stderr(stderr).end().expect_code(1);
    let mut text = String::new();
    file.read_to_string(&mut text).expect("a text");
    text.lines().map(str::to_owned).collect()
}

#[test]
fn lines_have_priorities_where_stderr_is_the_journal() {
    let own = |file: &File| {
        let metadata = file.metadata().expect("a file");
        format!("{}:{}", metadata.dev(), metadata.ino())
    };
    let lines = lines_in_journal(own, program!("service"));
    assert!(lines.iter().any(|line| line.starts_with("<7>lifecycle: start db")), "{lines:?}");
    let failure = "<3>lifecycle: start failed: hook `warm` ";
    assert!(lines.iter().any(|line| line.starts_with(failure)), "{lines:?}");
    let is_marked = |line: &&String| line.starts_with('<');
    assert_eq!(lines.iter().filter(is_marked).count(), lines.len(), "{lines:?}");
    let lines = lines_in_journal(|_| "8:1".to_owned(), program!("service"));
    assert_eq!(lines.iter().filter(is_marked).count(), 0, "another stream: {lines:?}");
    let lines = lines_in_journal(own, program!("service").env("LIFECYCLE_CONSOLE", "json"));
    assert_eq!(lines.iter().filter(is_marked).count(), 0, "objects: {lines:?}");
}
