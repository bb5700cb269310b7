//! File with the report of a run: in place whole, or not at all, however the run ends.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{Ended, Signal, Start, program};
use crate::held::values;

/// Folder for the report of one run.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("run.json")
    }

    fn start(&self, start: Start) -> Start {
        start.env("LIFECYCLE_REPORT", self.path())
    }

    /// Returns the report. The folder has nothing else.
    #[track_caller]
    fn report(&self, ended: &Ended) -> Value {
        assert_eq!(self.names(), ["run.json"], "{ended}");
        let text = fs::read_to_string(self.path()).expect("a report");
        assert!(text.ends_with("}\n"), "{text}");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    fn names(&self) -> Vec<String> {
        names(self.0.path())
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let name = |entry: fs::DirEntry| entry.file_name().into_string().expect("Unicode");
    entries.map(|entry| name(entry.expect("an entry"))).collect()
}

/// Returns the results of a hook that the report has.
fn results<'r>(report: &'r Value, hook: &str) -> Vec<&'r str> {
    let hooks = report["hooks"].as_array().expect("a list");
    let is_it = |entry: &&Value| entry["hook"].as_str().is_some_and(|path| path.ends_with(hook));
    let results = hooks.iter().filter(is_it);
    results.map(|entry| entry["result"].as_str().expect("a text")).collect()
}

#[test]
fn the_report_of_a_run_replaces_the_one_before() {
    let folder = Folder::new();
    fs::write(folder.path(), "x".repeat(100_000)).expect("a file");
    let ended = folder.start(program!("service")).start().ready().stop();
    ended.expect_code(0);
    let report = folder.report(&ended);
    assert_eq!((&report["exit_code"], &report["cause"]), (&0.into(), &"SIGTERM".into()));
    assert_eq!(
        (results(&report, "::db"), results(&report, "::close_db")),
        (vec!["succeeded"], vec!["succeeded"])
    );
    assert_eq!(report["forced"], Value::Null);
}

#[test]
fn a_start_that_fails_has_a_report() {
    let folder = Folder::new();
    let ended = folder.start(program!("service").args("warm=fail")).end();
    ended.expect_code(1);
    let report = folder.report(&ended);
    assert_eq!(report["exit_code"], 1);
    assert!(report["error"].as_str().expect("a text").contains("can't open the store"));
    assert_eq!(
        (results(&report, "::warm"), results(&report, "::close_db")),
        (vec!["failed"], vec!["succeeded"])
    );
}

#[test]
fn a_run_that_is_refused_has_a_report() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    for (start, code, reason) in [
        (program!("service").env("LIFECYCLE_GRACE", "soon"), 2, "LIFECYCLE_GRACE=soon"),
        (program!("service").args("close_db_again"), 2, "`close_db_again`"),
        (program!("service").env("LIFECYCLE_BIND", &address), 1, "can't listen on"),
    ] {
        let folder = Folder::new();
        let ended = folder.start(start).end();
        ended.expect_code(code);
        let report = folder.report(&ended);
        assert_eq!(report["exit_code"], code);
        assert!(report["error"].as_str().is_some_and(|error| error.contains(reason)), "{report}");
        assert_eq!(report["hooks"], serde_json::json!([]));
    }
}

#[test]
fn a_third_signal_leaves_a_report_of_what_was_known() {
    let folder = Folder::new();
    let mut program = folder.start(program!("service").args("close_db=hang")).start().ready();
    program.signal(Signal::SIGTERM);
    program.wait_until_said("close_db");
    program.signal(Signal::SIGTERM);
    program.wait_for("hurrying");
    program.signal(Signal::SIGTERM);
    let ended = program.end();
    ended.expect_code(143).expect_took(Duration::ZERO);
    let report = folder.report(&ended);
    assert_eq!((&report["exit_code"], &report["hurried"]), (&143.into(), &true.into()));
    assert_eq!(report["forced"]["cause"], "third signal (SIGTERM): exit at once");
    let waiting = report["forced"]["waiting_for"].to_string();
    assert!(waiting.contains("close_db "), "{report}");
    assert_eq!(
        (results(&report, "::flush"), results(&report, "::close_db")),
        (vec!["succeeded"], vec![])
    );
}

#[test]
fn the_end_of_the_grace_period_leaves_a_report_of_what_was_known() {
    let folder = Folder::new();
    for (args, code) in [("run task db=wait", 3), ("run task db=wait broken", 1)] {
        let start = folder.start(values(args).env("LIFECYCLE_GRACE", "1s"));
        let ended = if code == 1 { start.end() } else { start.start().ready().stop() };
        ended.expect_code(code);
        let report = folder.report(&ended);
        assert_eq!(report["exit_code"], code);
        assert_eq!(results(&report, "::db"), ["succeeded"]);
        assert_eq!(report["error"].is_string(), code == 1, "{report}");
        let expected = serde_json::json!({
            "cause": "the grace period of 1 s is over, exit at once",
            "waiting_for": ["the drop of the value of `db`"],
        });
        assert_eq!(report["forced"], expected);
    }
}

#[test]
fn a_process_that_hangs_behind_its_run_keeps_the_report_of_the_run() {
    let folder = Folder::new();
    let start = program!("process").without_env("LIFECYCLE_BIND").without_env("LIFECYCLE_GRACE");
    let start = folder.start(start.args("run main=hang grace=2"));
    let ended = start.start().ready().stop();
    ended.expect_code(0).expect_said(&["the run has ended, but not the process"]);
    let report = folder.report(&ended);
    assert_eq!((&report["exit_code"], &report["forced"]), (&0.into(), &Value::Null));
}

#[test]
fn every_way_to_run_writes_a_report() {
    for mode in ["run", "run-inside", "multi", "current"] {
        let folder = Folder::new();
        let start = program!("embedded").args(&format!("{mode} no-http"));
        let start = folder.start(start.without_env("LIFECYCLE_BIND"));
        let ended = start.start().ready().stop();
        ended.expect_code(0);
        assert_eq!(results(&folder.report(&ended), "::finish"), ["succeeded"], "{mode}");
    }
}

#[test]
fn a_run_that_nobody_awaits_or_whose_runtime_goes_away_has_a_report() {
    for (mode, is_whole) in [("dropped-multi", true), ("runtime-gone", false)] {
        let folder = Folder::new();
        let start = program!("process").without_env("LIFECYCLE_BIND").args(mode);
        let mut program = folder.start(start).start().ready();
        program.tell("drop");
        let path = folder.path();
        program.wait_while(|| !path.exists());
        program.tell("exit");
        let ended = program.end();
        let report = folder.report(&ended);
        assert_eq!(results(&report, "::db"), ["succeeded"], "{mode}: {report}");
        let torn_down = results(&report, "::close_db");
        if is_whole {
            assert_eq!((torn_down, &report["forced"]), (vec!["succeeded"], &Value::Null));
        } else {
            // While the runtime goes away, the run may still see that its hooks are cancelled.
            assert!(torn_down == ["cancelled"] || !report["forced"].is_null(), "{report}");
        }
    }
}

#[test]
fn a_program_names_the_file_and_the_environment_another_or_none() {
    let folder = Folder::new();
    let own = folder.0.path().join("own.json");
    let start = || {
        let args = format!("run file={}", own.display());
        program!("process").without_env("LIFECYCLE_BIND").args(&args)
    };
    start().env("LIFECYCLE_REPORT", "off").start().ready().stop().expect_code(0);
    assert_eq!(folder.names(), Vec::<String>::new());
    let ended = folder.start(start()).start().ready().stop();
    folder.report(&ended);
    start().start().ready().stop().expect_code(0);
    assert!(own.exists());
}

#[test]
fn a_relative_path_is_one_from_the_folder_that_the_program_started_in() {
    let folder = Folder::new();
    let start = program!("service").args("warm=chdir").folder(folder.0.path());
    let ended = start.env("LIFECYCLE_REPORT", "run.json").start().ready().stop();
    ended.expect_code(0);
    folder.report(&ended);
}

/// Runs a program whose report can't be written, and checks that nothing but a line tells of it.
#[track_caller]
fn check_unwritten(path: &str, reason: &str, start: impl Fn() -> Start) {
    let line = format!("lifecycle: the report was not written to {path}: {reason}");
    let ended = start().env("LIFECYCLE_REPORT", path).start().ready().stop();
    ended.expect_code(0);
    let told = ended.stderr().lines().filter(|told| told.starts_with(&line)).count();
    assert_eq!(told, 1, "no `{line}` in\n{ended}");
    let ended = start().args("warm=fail").env("LIFECYCLE_REPORT", path).end();
    ended.expect_code(1).expect_said(&[&line]);
    let mut forced = start().args("close_db=hang").env("LIFECYCLE_REPORT", path).start().ready();
    forced.signal(Signal::SIGTERM);
    forced.wait_until_said("close_db");
    forced.signal(Signal::SIGTERM);
    forced.wait_for("hurrying");
    forced.signal(Signal::SIGTERM);
    forced.end().expect_code(143).expect_took(Duration::ZERO).expect_said(&[&line]);
}

#[test]
fn a_full_disk_is_told_and_leaves_the_report_before_as_it_was() {
    let folder = Folder::new();
    fs::write(folder.path(), "before").expect("a file");
    // The limit is that of a file's size. The system says so in a signal as well, which has to be
    // ignored.
    let script = "trap '' XFSZ && ulimit -f 0 && exec \"$0\" \"$@\"";
    let start = || Start::script(env!("CARGO_BIN_EXE_service"), script);
    check_unwritten(&folder.path().display().to_string(), "File too large", start);
    assert_eq!(folder.names(), ["run.json"]);
    assert_eq!(fs::read_to_string(folder.path()).expect("a file"), "before");
}

#[test]
fn a_folder_that_is_missing_or_closed_is_told() {
    let folder = Folder::new();
    let missing = folder.0.path().join("missing/run.json").display().to_string();
    check_unwritten(&missing, "No such file or directory", || program!("service"));
    assert_eq!(folder.names(), Vec::<String>::new());
    // The system lets nobody create a file there, not even root.
    if cfg!(target_os = "linux") && Path::new("/sys/kernel").exists() {
        check_unwritten("/sys/kernel/run.json", "", || program!("service"));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_device_is_not_replaced_by_a_report() {
    check_unwritten("/dev/full", "it is no regular file", || program!("service"));
    let full = fs::metadata("/dev/full").expect("it is there");
    assert!(full.file_type().is_char_device());
}
