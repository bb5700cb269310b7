//! Lines of the console as JSON, and behind their times.

use std::time::Duration;

use serde_json::Value;

use crate::harness::{Ended, Program, Signal, Start, program};
use crate::held::values;

/// Returns the objects on stderr. Every line has to be one, with what each has.
#[track_caller]
fn objects(ended: &Ended) -> Vec<Value> {
    let stderr = ended.stderr();
    let object = |line: &str| {
        let object: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}\n{ended}"));
        assert_time(object["time"].as_str().expect("a time"));
        let level = object["level"].as_str().expect("a level");
        assert!(["DEBUG", "INFO", "WARN", "ERROR"].contains(&level), "{line}");
        assert_eq!(object["target"], "lifecycle_runtime", "{line}");
        assert!(object["message"].is_string(), "{line}");
        object
    };
    stderr.lines().map(object).collect()
}

/// Returns the object of an event; about this hook, unless its name is empty.
#[track_caller]
fn event<'o>(objects: &'o [Value], event: &str, hook: &str) -> &'o Value {
    let is_about = |object: &&Value| {
        let path = object["hook"].as_str().unwrap_or_default();
        object["event"] == event && (hook.is_empty() || path.ends_with(&format!("::{hook}")))
    };
    objects.iter().find(is_about).unwrap_or_else(|| panic!("no {event} {hook}: {objects:#?}"))
}

#[track_caller]
fn assert_time(time: &str) {
    let digits_as_zero = |c: char| if c.is_ascii_digit() { '0' } else { c };
    let form: String = time.chars().map(digits_as_zero).collect();
    assert_eq!(form, "0000-00-00T00:00:00.000Z", "{time}");
}

fn with_json(start: Start) -> Start {
    start.env("LIFECYCLE_CONSOLE", "json")
}

/// Waits until the program has told that it is ready.
fn ready(start: Start) -> Program {
    let mut program = start.start();
    program.wait_for("\"state\":\"ready\"");
    program
}

#[test]
fn every_line_is_an_object_with_the_fields_of_its_event() {
    let mut program = ready(with_json(program!("service").args("flush=fail-in-disguise")));
    program.signal(Signal::SIGUSR1);
    program.wait_for("\"message\":\"ready for ");
    let ended = program.stop();
    ended.expect_code(3);
    let objects = objects(&ended);
    let listening = event(&objects, "listening", "");
    assert!(listening["url"].as_str().is_some_and(|url| url.starts_with("http://127.0.0.1:")));
    let flushed = event(&objects, "hook_ended", "flush");
    assert_eq!((&flushed["outcome"], &flushed["level"]), (&"failed".into(), &"ERROR".into()));
    // The error has control characters and a line that looks like one of ours.
    assert_eq!(flushed["error"], "\u{1b}[2Jgone\nlifecycle: stopped, exit code 0");
    let place = flushed["place"].as_str().expect("a place");
    assert!(place.starts_with("tests/src/bin/service.rs:"), "{place}");
    assert!(flushed["duration_seconds"].as_f64().is_some_and(|took| took < 60.0), "{flushed}");
    assert_eq!(event(&objects, "hook_started", "db")["kind"], "on_startup");
    assert_eq!(event(&objects, "stop_begun", "")["cause"], "SIGTERM");
    let end = objects.last().expect("a last line");
    assert_eq!((&end["event"], &end["exit_code"]), (&"run_ended".into(), &3.into()));
    assert_eq!(end["failed"].as_array().map(Vec::len), Some(1), "{end}");
}

#[test]
fn the_reason_for_which_nothing_runs_is_an_object_even_with_the_console_off() {
    let mut taken = program!("service").start().ready();
    let address = taken.addresses().remove(0);
    for form in ["json", "off,json"] {
        let start = || program!("service").env("LIFECYCLE_CONSOLE", form);
        for (start, code, reason) in [
            (start().env("LIFECYCLE_GRACE", "soon"), 2, "LIFECYCLE_GRACE=soon: "),
            (start().args("close_db_again"), 2, "close_db_again"),
            (start().env("LIFECYCLE_BIND", &address), 1, "can't listen on "),
            (start().args("warm=fail"), 1, "start failed: hook `warm` ("),
        ] {
            let ended = start.end();
            ended.expect_code(code);
            let objects = objects(&ended);
            let has_reason = |object: &Value| {
                let message = object["message"].as_str().expect("a text");
                message.contains(reason) && object["level"] == "ERROR"
            };
            assert_eq!(objects.iter().filter(|object| has_reason(object)).count(), 1, "{ended}");
            assert!(form == "json" || objects.len() == 1 || code == 2, "{ended}");
            let codes: Vec<_> =
                objects.iter().filter_map(|object| object["exit_code"].as_i64()).collect();
            // A mistake in the settings is told by a console that nobody has switched off yet.
            if form == "json" {
                assert_eq!(codes, [i64::from(code)], "{ended}");
            }
        }
    }
}

#[test]
fn the_last_line_of_a_forced_end_is_an_object() {
    let mut program = ready(with_json(program!("service").args("close_db=hang")));
    program.signal(Signal::SIGTERM);
    program.wait_until_said("close_db");
    program.signal(Signal::SIGTERM);
    program.wait_for("hurrying");
    program.signal(Signal::SIGTERM);
    let ended = program.end();
    ended.expect_code(143);
    let last = objects(&ended).pop().expect("a last line");
    assert_eq!(last["message"], "third signal (SIGTERM): exit at once, exit code 143");
    assert_eq!(last["exit_code"], 143);

    // The drop of a value hangs, and the watchdog ends the process.
    let start = with_json(values("run task db=wait").env("LIFECYCLE_GRACE", "1s"));
    let ended = ready(start).stop();
    ended.expect_code(3).expect_took(Duration::from_secs(1));
    let last = objects(&ended).pop().expect("a last line");
    assert_eq!(last["exit_code"], 3, "{last}");
    let message = last["message"].as_str().expect("a text");
    assert!(message.starts_with("the grace period of 1 s is over, exit at once: "), "{message}");
}

#[test]
fn an_answer_is_one_object_even_with_the_console_off() {
    let start = program!("service").args("warm=wait").env("LIFECYCLE_CONSOLE", "off,json");
    let mut program = start.start();
    program.wait_until_said("warm");
    program.signal(Signal::SIGUSR1);
    program.wait_for("waiting for");
    program.tell("warm");
    let ended = program.stop();
    ended.expect_code(0);
    let objects = objects(&ended);
    let [answer] = &objects[..] else { panic!("{ended}") };
    let message = answer["message"].as_str().expect("a text");
    assert!(message.starts_with("starting for ") && message.contains("\n  warm ("), "{message}");
}

#[test]
fn a_program_chooses_the_form_and_the_environment_another() {
    let json = || program!("process").without_env("LIFECYCLE_BIND").args("run lines=json");
    objects(&ready(json()).stop());
    let plain = json().env("LIFECYCLE_CONSOLE", "plain").start().ready().stop();
    assert!(plain.stderr().lines().all(|line| line.starts_with("lifecycle: ")), "{plain}");
    // What refuses the settings has the form that the program chose.
    let refused = json().env("LIFECYCLE_CONSOLE", "yes").end();
    refused.expect_code(2);
    assert!(objects(&refused)[0]["message"].as_str().expect("a text").contains("`yes` is none"));
}

#[test]
fn a_run_in_a_runtime_of_its_own_writes_objects_too() {
    for mode in ["multi", "current"] {
        let start = program!("embedded").args(&format!("{mode} no-http"));
        let ended = ready(with_json(start.without_env("LIFECYCLE_BIND"))).stop();
        ended.expect_code(0);
        assert_eq!(event(&objects(&ended), "run_ended", "")["exit_code"], 0);
    }
}

#[test]
fn each_plain_line_has_its_time() {
    let start = program!("service").args("flush=fail-in-disguise").env("LIFECYCLE_CONSOLE", "time");
    let mut program = start.start().ready();
    program.signal(Signal::SIGUSR1);
    program.wait_for("lifecycle: ready for ");
    let ended = program.stop();
    ended.expect_code(3).expect_said(&[" lifecycle: stopped (SIGTERM) in "]);
    let stderr = ended.stderr();
    let times: Vec<_> = stderr
        .lines()
        .map(|line| line.split_once(" lifecycle: ").unwrap_or_else(|| panic!("{line}\n{ended}")).0)
        .collect();
    for time in &times {
        assert_time(time);
    }
    assert!(times.len() > 10, "{ended}");
}
