//! Line about the end of a run in the termination log of Kubernetes.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use tempfile::TempDir;

use crate::harness::{Ended, Signal, Start, program};
use crate::held::values;

/// Largest size of what Kubernetes reads.
const READ: usize = 4096;

/// Log of one program.
struct Log(TempDir);

impl Log {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("log")
    }

    fn start(&self, start: Start) -> Start {
        start.env("LIFECYCLE_TERMINATION_LOG", self.path())
    }

    /// Returns the text, which is one line.
    #[track_caller]
    fn text(&self, ended: &Ended) -> String {
        let text =
            fs::read_to_string(self.path()).unwrap_or_else(|error| panic!("{error}\n{ended}"));
        assert!(!text.contains('\n') && text.len() <= READ, "{text}");
        text
    }
}

/// Checks the beginning of the text, and that it has this part.
#[track_caller]
fn check(start: Start, end: impl FnOnce(Start) -> Ended, begin: &str, part: &str) {
    let log = Log::new();
    let ended = end(log.start(start));
    let text = log.text(&ended);
    assert!(text.starts_with(begin) && text.contains(part), "{text}\n{ended}");
}

fn stopped(start: Start) -> Ended {
    start.start().ready().stop()
}

#[test]
fn the_log_says_how_a_run_ended() {
    let start = program!("service");
    check(start, stopped, "exit code 0: stopped (SIGTERM) in ", "");
    let start = program!("service").args("flush=fail");
    let failed = "; hook `flush` (tests/src/bin/service.rs:";
    check(start, stopped, "exit code 3: stopped (SIGTERM) in ", failed);
}

#[test]
fn the_log_says_why_nothing_has_started() {
    let start = program!("service").args("warm=fail");
    let begin = "exit code 1: start failed: hook `warm` (tests/src/bin/service.rs:";
    let chain = "can't open the store: page 7 is unreadable: the disk is on fire";
    check(start, Start::end, begin, chain);
    let start = program!("service").env("LIFECYCLE_GRACE", "soon");
    check(start, Start::end, "exit code 2: LIFECYCLE_GRACE=soon: ", "");
    let start = program!("service").args("close_db_again");
    check(start, Start::end, "exit code 2: ", "`close_db_again`");
}

#[test]
fn the_log_says_what_a_forced_end_was_waiting_for() {
    let start = program!("service").args("close_db=hang");
    let third = |start: Start| {
        let mut program = start.start().ready();
        program.signal(Signal::SIGTERM);
        program.wait_until_said("close_db");
        program.signal(Signal::SIGTERM);
        program.wait_for("hurrying");
        program.signal(Signal::SIGTERM);
        program.end()
    };
    let begin = "exit code 143: third signal (SIGTERM): exit at once; still running: close_db ";
    check(start, third, begin, "; stopping (SIGTERM)");
    // The drop of a value hangs, and the watchdog ends the process.
    let start = values("run task db=wait").env("LIFECYCLE_GRACE", "1s");
    let begin = "exit code 3: the grace period of 1 s is over, exit at once; still running: the \
                 drop of the value of `db`; stopping (SIGTERM)";
    check(start, stopped, begin, "");
}

#[test]
fn a_text_that_is_too_long_is_cut_between_characters() {
    let name = "ä".repeat(3_000);
    let start = program!("service").env("LIFECYCLE_GRACE", &name);
    let cut = |start: Start| {
        let ended = start.end();
        ended.expect_code(2);
        ended
    };
    check(start, cut, "exit code 2: LIFECYCLE_GRACE=ää", "ä…");
}

#[test]
fn a_log_that_can_not_be_written_changes_nothing_else() {
    let folder = Log::new();
    let missing = folder.0.path().join("missing/log");
    let line = format!("lifecycle: the termination log was not written to {}: ", missing.display());
    let ended = stopped(program!("service").env("LIFECYCLE_TERMINATION_LOG", &missing));
    ended.expect_code(0).expect_said(&[&line]);
    // The environment may switch it off.
    stopped(program!("service").env("LIFECYCLE_TERMINATION_LOG", "off")).expect_code(0);
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_changes_nothing_else() {
    let start = program!("service").env("LIFECYCLE_TERMINATION_LOG", "/dev/full");
    let line = "the termination log was not written to /dev/full: No space left on device";
    stopped(start).expect_code(0).expect_said(&[line]);
}

#[test]
fn a_log_that_hangs_keeps_no_process_from_ending() {
    // Nobody reads from the pipe, so that it can't even be opened.
    let log = Log::new();
    mkfifo(&log.path(), Mode::S_IRWXU).expect("a pipe");
    let start =
        |args: &str| log.start(program!("service").args(args)).env("LIFECYCLE_GRACE", "10s");
    let report = log.0.path().join("run.json");
    let ended = stopped(start("").env("LIFECYCLE_REPORT", &report));
    ended.expect_code(0).expect_said(&["the termination log was not written to ", ": timed out"]);
    ended.expect_took(Duration::from_secs(9));
    // Its disk is another one. On a busy machine the watchdog may act first.
    let is_written =
        fs::read_to_string(report).is_ok_and(|report| report.starts_with("{\"exit_code\":0,"));
    assert!(is_written || ended.stderr().contains("is over, exit at once"), "{ended}");

    let mut program = start("close_db=hang").env("LIFECYCLE_GRACE", "25s").start().ready();
    program.signal(Signal::SIGTERM);
    program.wait_until_said("close_db");
    program.signal(Signal::SIGTERM);
    program.wait_for("hurrying");
    program.signal(Signal::SIGTERM);
    program.end().expect_code(143).expect_took(Duration::ZERO);
}

/// Starts a program with a `/dev` of its own, in which a file is mounted as by Kubernetes. Returns
/// `None` if that can't be done here.
#[cfg(target_os = "linux")]
fn in_kubernetes(log: &Log, options: &str) -> Option<Start> {
    fs::write(log.path(), "before").expect("a file");
    let path = log.path();
    let script = format!(
        "mount -t tmpfs none /dev && mknod /dev/null c 1 3 && touch /dev/termination-log && \
         mount --bind {} /dev/termination-log && {options} exec",
        path.display()
    );
    let can = std::process::Command::new("unshare")
        .args(["--mount", "/bin/sh", "-c", &format!("{script} true")])
        .output();
    if !can.is_ok_and(|output| output.status.success()) {
        lifecycle_tests::skipped(
            "there is no `unshare` here, or it may mount nothing: the default log",
        );
        return None;
    }
    let script = format!("{script} \"$0\" \"$@\"");
    Some(Start::unshared(env!("CARGO_BIN_EXE_service"), &script))
}

#[test]
#[cfg(target_os = "linux")]
fn the_file_of_kubernetes_is_written_where_it_is_and_is_never_created() {
    let log = Log::new();
    let Some(start) = in_kubernetes(&log, "") else { return };
    let ended = start.args("warm=fail").end();
    ended.expect_code(1);
    assert!(log.text(&ended).starts_with("exit code 1: start failed: hook `warm` "), "{ended}");

    let start = in_kubernetes(&log, "").expect("it went well before");
    let ended = stopped(start.env("LIFECYCLE_TERMINATION_LOG", "off"));
    assert_eq!(log.text(&ended), "before");

    // Nobody has asked for a file that may not be written, or is not there.
    let read_only = "mount -o remount,bind,ro /dev/termination-log &&";
    let start = in_kubernetes(&log, read_only).expect("it went well before");
    stopped(start).expect_code(0).expect_not_said(&["termination"]);
    assert_eq!(fs::read_to_string(log.path()).expect("a file"), "before");
    let none = "umount /dev/termination-log && rm /dev/termination-log &&";
    let start = in_kubernetes(&log, none).expect("it went well before");
    stopped(start).expect_code(0).expect_not_said(&["termination"]);
    assert_eq!(fs::read_to_string(log.path()).expect("a file"), "before");
}
