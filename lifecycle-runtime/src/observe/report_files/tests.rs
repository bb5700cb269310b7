//! Tests of the files that a run leaves behind.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::event::{Event, Observer, Outcome, StartFailure};
use crate::hook::stop::StopCause;
use crate::observe::report::{ForcedExit, ForcedExitCause, Recorder};
use crate::plan::sample::hooks;

/// Folder of one test, which is removed with everything in it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("lifecycle-{}-{name}", std::process::id()));
        fs::create_dir(&path).expect("a new folder");
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Returns the names of the files in the folder.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).expect("a folder");
        let name = |entry: fs::DirEntry| entry.file_name().into_string().expect("Unicode");
        let mut names: Vec<_> = entries.map(|entry| name(entry.expect("an entry"))).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn files(report: Option<PathBuf>, termination_log: TerminationLog) -> ReportFiles {
    ReportFiles::new(&OutputSettings { report, termination_log, ..OutputSettings::default() })
}

fn invalid(error: &str) -> Report {
    Report::not_begun(2, StartFailure::Invalid { error: error.to_owned() })
}

#[test]
fn the_report_replaces_the_one_before_and_is_written_once() {
    let folder = Folder::new("replaced");
    let path = folder.file("run.json");
    fs::write(&path, "an older one, which is much longer than the new one".repeat(100))
        .expect("a file");
    let files = files(Some(path.clone()), TerminationLog::Off);
    let report = invalid("first");
    assert_eq!(files.write(&report), Vec::<String>::new());
    assert_eq!(files.write(&invalid("second")), Vec::<String>::new());
    assert_eq!(files.write_at_once(&invalid("third")), Vec::<String>::new());
    assert_eq!(fs::read_to_string(&path).expect("a file"), report.to_json() + "\n");
    assert_eq!(folder.names(), ["run.json"]);
}

#[test]
#[cfg(unix)]
fn a_report_that_can_not_be_written_leaves_nothing_and_is_told_in_one_line() {
    let folder = Folder::new("refused");
    fs::create_dir(folder.file("folder")).expect("a folder");
    fs::write(folder.file("file"), "").expect("a file");
    for (name, reason) in [
        ("missing/run.json", "No such file or directory"),
        ("file/run.json", "Not a directory"),
        ("folder", "it is no regular file"),
    ] {
        let path = folder.file(name);
        let problems = files(Some(path.clone()), TerminationLog::Off).write(&invalid("x"));
        let [problem] = &problems[..] else { panic!("{name}: {problems:?}") };
        let begin = format!("the report was not written to {}: {reason}", path.display());
        assert!(problem.starts_with(&begin) && !problem.contains('\n'), "{problem}");
        assert_eq!(folder.names(), ["file", "folder"]);
    }
}

#[test]
#[cfg(unix)]
fn a_link_to_a_report_stays_a_link() {
    let folder = Folder::new("linked");
    fs::write(folder.file("real.json"), "").expect("a file");
    let link = folder.file("run.json");
    std::os::unix::fs::symlink("real.json", &link).expect("a link");
    assert_eq!(files(Some(link.clone()), TerminationLog::Off).write(&invalid("x")).len(), 0);
    assert!(link.is_symlink());
    let written = fs::read_to_string(folder.file("real.json")).expect("a file");
    assert_eq!(written, invalid("x").to_json() + "\n");
}

#[test]
fn who_can_not_wait_puts_a_complete_report_in_place_and_removes_any_other() {
    let folder = Folder::new("hurried");
    let path = folder.file("run.json");
    let file = AtomicFile::new(path.clone());
    assert!(file.finish().is_ok(), "nothing has begun");
    assert_eq!(folder.names(), Vec::<String>::new());
    file.begin_and_write("{}");
    assert_eq!(folder.names().len(), 1);
    assert!(!path.exists());
    file.finish().expect("it is complete");
    assert_eq!(folder.names(), ["run.json"]);

    let file = AtomicFile::new(folder.file("other.json"));
    file.begin_only();
    assert_eq!(folder.names().len(), 2);
    assert!(file.finish().is_err());
    assert_eq!(folder.names(), ["run.json"]);
}

#[test]
fn the_log_for_kubernetes_has_the_summary_in_one_line_of_4096_bytes() {
    let folder = Folder::new("log");
    let path = folder.file("termination-log");
    let log = |error: &str| {
        let files = files(None, TerminationLog::File(path.clone()));
        assert_eq!(files.write(&invalid(error)), Vec::<String>::new());
        fs::read_to_string(&path).expect("a text")
    };
    assert_eq!(log("no such\n\tsetting"), "exit code 2: no such setting");
    // A longer text comes before a shorter one, which replaces it.
    let cut_off = log(&format!("{}ö", "öä".repeat(3_000)));
    assert!(cut_off.len() <= READ_BY_KUBERNETES && cut_off.len() > READ_BY_KUBERNETES - 4);
    assert!(cut_off.starts_with("exit code 2: öä") && cut_off.ends_with('…'), "{cut_off}");
    assert_eq!(log("short"), "exit code 2: short");
    let exact = "x".repeat(READ_BY_KUBERNETES - "exit code 2: ".len());
    assert_eq!(log(&exact), format!("exit code 2: {exact}"));
}

#[test]
fn a_log_that_can_not_be_written_is_told_in_one_line() {
    let folder = Folder::new("no-log");
    let path = folder.file("missing/log");
    let problems = files(None, TerminationLog::File(path.clone())).write(&invalid("x"));
    let [problem] = &problems[..] else { panic!("{problems:?}") };
    let begin = format!("the termination log was not written to {}: ", path.display());
    assert!(problem.starts_with(&begin), "{problem}");
}

#[test]
fn the_summary_names_what_failed_and_why() {
    let [db, flush] = hooks("start db; stop flush")[..] else { unreachable!("there are two") };
    let recorder = Recorder::new(2);
    let tell = |event: &Event| recorder.on_event(Duration::from_secs(1), event);
    let broken = |error: &str| Outcome::Failed { error: error.to_owned() };
    let took = Duration::ZERO;
    let requests = None;
    let cause = StopCause::Signal("SIGTERM");
    tell(&Event::StopBegun { cause, grace: Duration::from_secs(9), requests });
    tell(&Event::HookEnded { hook: flush, outcome: broken("the disk\nis full"), took });
    let forced = ForcedExit {
        cause: ForcedExitCause::GracePeriod(Duration::from_secs(9)),
        waiting_for: vec![crate::event::Wait::Hook { hook: db, running: Duration::from_secs(8) }],
    };
    let report = recorder.report_so_far(3, Duration::from_secs(10), forced.clone());
    assert_eq!(report.stop_took, Duration::from_secs(9));
    assert_eq!(
        report.one_line(),
        "exit code 3: the grace period of 9 s is over, exit at once; still running: db 8 s; \
         stopping (SIGTERM); hook `flush` (app.rs:2) failed: the disk is full"
    );
    let json: serde_json::Value = serde_json::from_str(&report.to_json()).expect("JSON");
    let cause = "the grace period of 9 s is over, exit at once";
    let expected = serde_json::json!({ "cause": cause, "waiting_for": ["db 8 s"] });
    assert_eq!((&json["forced"], &json["exit_code"]), (&expected, &3.into()));
    assert_eq!(json["hooks"][0]["error"], "the disk\nis full");

    // The exit code of a run that is over stays.
    let ended = recorder.report(Vec::new(), Vec::new()).expect("no forced exit");
    assert_eq!(
        ended.one_line(),
        "exit code 3: stopped (SIGTERM) in 0 µs; hook `flush` (app.rs:2) failed: the disk is full"
    );
    let later = recorder.report_so_far(130, Duration::from_secs(60), forced);
    assert_eq!(later.to_json(), ended.to_json());
    assert_eq!(recorder.end_by_force(), Some(3));

    // A process that ends by force says nothing else about its end.
    let recorder = Recorder::new(0);
    assert_eq!(recorder.end_by_force(), None);
    assert!(recorder.report(Vec::new(), Vec::new()).is_none());

    // The failure that a start fails by is named once.
    let recorder = Recorder::new(2);
    let tell = |event: &Event| recorder.on_event(Duration::from_secs(1), event);
    let outcome = broken("no route");
    tell(&Event::HookEnded { hook: db, outcome: outcome.clone(), took });
    tell(&Event::StartFailed { failure: StartFailure::of(db, outcome) });
    let cause = StopCause::StartFailed;
    tell(&Event::StopBegun { cause, grace: Duration::from_secs(9), requests });
    assert_eq!(
        recorder.report(Vec::new(), Vec::new()).expect("no forced exit").one_line(),
        "exit code 1: start failed: hook `db` (app.rs:1) failed: no route"
    );
}
