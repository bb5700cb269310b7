//! Tests of the forms of lines.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::event::{StartFailure, Wait};
use crate::hook::error::acts;
use crate::hook::stop::StopCause;
use crate::observe::console::lines::LONGEST;
use crate::observe::console::sample::console_of;
use crate::process::config::ConsoleFormat;

/// Returns the objects that a console writes.
fn objects(tell: impl FnOnce(&Console)) -> Vec<Value> {
    let (console, lines) = console_of(ConsoleFormat::Json);
    tell(&console);
    lines().iter().map(|line| object(line)).collect()
}

#[track_caller]
fn object(line: &str) -> Value {
    let object: Value =
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    assert!(object.is_object(), "{line}");
    object
}

/// Checks that a line begins with a time, and returns what follows it.
#[track_caller]
fn behind_time(line: &str) -> &str {
    let (time, rest) = line.split_at(24);
    let form: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(form, "0000-00-00T00:00:00.000Z", "{line}");
    rest
}

#[test]
fn an_event_is_an_object_with_its_fields() {
    let hook = hooks("start store::db")[0];
    let outcome = Outcome::Failed { error: "no route\n\tto host".to_owned() };
    let took = Duration::from_millis(1_500);
    let mut objects = objects(|console| {
        let ended = Event::HookEnded { hook, outcome, took };
        console.write_event(Duration::from_secs(2), &ended, Level::ERROR);
    });
    let [object] = &mut objects[..] else { panic!("{objects:?}") };
    behind_time(object["time"].take().as_str().expect("a text"));
    let expected = json!({
        "time": null,
        "level": "ERROR",
        "target": "lifecycle_runtime",
        "message": "hook `db` (app.rs:1) failed: no route\n\tto host (after 1.5 s)",
        "event": "hook_ended",
        "hook": "app::store::db",
        "kind": "on_startup",
        "place": "app.rs:1",
        "outcome": "failed",
        "error": "no route\n\tto host",
        "duration_seconds": 1.5,
    });
    assert_eq!(*object, expected);
}

#[test]
fn the_word_that_is_painted_is_part_of_the_message() {
    let hook = hooks("service svc")[0];
    let running = Event::Service { hook, state: ServiceState::Running };
    let objects = objects(|console| console.write_event(Duration::ZERO, &running, Level::INFO));
    assert_eq!(objects[0]["message"], "running svc");
    assert_eq!(objects[0]["state"], "running");
}

#[test]
fn a_service_that_was_told_to_stop_has_the_duration_of_its_message() {
    let hook = hooks("service svc")[0];
    let objects = objects(|console| {
        let stopping = Event::Service { hook, state: ServiceState::Stopping };
        console.write_event(Duration::from_secs(60), &stopping, Level::INFO);
        let took = Duration::from_secs(62);
        let ended = Event::HookEnded { hook, outcome: Outcome::Succeeded, took };
        console.write_event(Duration::from_secs(62), &ended, Level::INFO);
    });
    assert_eq!(objects[1]["message"], "done svc in 2 s");
    assert_eq!(objects[1]["duration_seconds"], 2.0);
}

#[test]
fn a_failed_start_is_named_in_one_object() {
    let hook = hooks("start db")[0];
    let failure = StartFailure::of(hook, Outcome::Panicked { message: "no pool".to_owned() });
    let objects = objects(|console| {
        let failed = Event::StartFailed { failure };
        console.write_event(Duration::ZERO, &failed, Level::ERROR);
        console.nothing_started("", 2);
        console.write_last_line("exit at once", 130);
        let refused = StartFailure::Invalid { error: "no setting".to_owned() };
        console.report(&Report::not_begun(2, refused), false);
    });
    let found: Vec<_> = objects.iter().map(|object| &object["event"]).collect();
    assert_eq!(
        found,
        [&json!("start_failed"), &Value::Null, &Value::Null, &Value::Null, &json!("run_ended")]
    );
    let [failed, rolls_back, nothing, forced, ended] = &objects[..] else { panic!("{objects:?}") };
    assert_eq!((&failed["outcome"], &failed["error"]), (&json!("panicked"), &json!("no pool")));
    assert_eq!(rolls_back["level"], "INFO");
    assert_eq!(nothing["message"], "nothing was started, exit code 2");
    let codes = [nothing, forced, ended].map(|object| object["exit_code"].as_u64());
    assert_eq!(codes, [Some(2), Some(130), Some(2)]);
    assert_eq!(ended["error"], "no setting");
}

#[test]
fn what_a_stop_waits_for_is_a_list_that_ends() {
    let hook = hooks("stop flush")[0];
    let wait = Wait::Hook { hook, running: Duration::from_secs(1) };
    let objects = objects(|console| {
        let cause = StopCause::Signal("SIGTERM");
        let requests = Some(Duration::from_secs(8));
        let begun = Event::StopBegun { cause, grace: Duration::from_secs(25), requests };
        console.write_event(Duration::ZERO, &begun, Level::INFO);
        let on = vec![wait; 10_000];
        console.write_event(Duration::ZERO, &Event::Waiting { on }, Level::WARN);
    });
    let [begun, waiting] = &objects[..] else { panic!("{objects:?}") };
    assert_eq!((&begun["cause"], &begun["grace_seconds"]), (&json!("SIGTERM"), &json!(25.0)));
    assert_eq!(begun["requests_seconds"], 8.0);
    assert_eq!(waiting["level"], "WARN");
    assert_eq!(waiting["waiting_for"].as_array().map(Vec::len), Some(20));
}

#[test]
fn lines_that_were_left_out_are_an_object_or_have_a_time_too() {
    for format in [ConsoleFormat::Json, ConsoleFormat::Time] {
        let pipe = Pipe::default();
        let console = Console::to(pipe.clone(), Style { format, ..Style::default() });
        (0..10_000).for_each(|number| console.say(&format!("line {number}")));
        pipe.read();
        console.flush(Duration::from_secs(60));
        let written = pipe.written();
        if format == ConsoleFormat::Json {
            let objects: Vec<_> = written.lines().map(object).collect();
            let count = objects.iter().find_map(|object| object["lines_left_out"].as_u64());
            assert_eq!(count.map(|count| count + objects.len() as u64 - 1), Some(10_000));
        } else {
            assert!(written.lines().all(|line| behind_time(line).starts_with(" lifecycle: ")));
            assert!(written.contains(" lines left out\n"), "{}", &written[..200]);
        }
    }
}

#[test]
fn each_line_of_a_text_has_its_time() {
    let (console, lines) = console_of(ConsoleFormat::Time);
    console.say("ready for 2 s, running:\n  pump");
    let lines = lines();
    let lines: Vec<_> = lines.iter().map(|line| behind_time(line)).collect();
    assert_eq!(lines, [" lifecycle: ready for 2 s, running:", " lifecycle:   pump"]);
}

#[test]
fn each_line_of_a_text_has_its_priority_in_the_journal() {
    for (format, expected) in [
        (ConsoleFormat::Live, "<6>lifecycle: one\n<6>lifecycle: two\n<3>lifecycle: three\n"),
        (ConsoleFormat::Json, "{"),
    ] {
        let pipe = Pipe::default();
        let style = Style { format, priorities: true, ..Style::default() };
        let console = Console::to(pipe.clone(), style);
        console.say("one\ntwo");
        console.complain("three");
        pipe.read();
        console.flush(Duration::from_secs(60));
        assert!(pipe.written().starts_with(expected), "{}", pipe.written());
    }
}

#[test]
fn a_silent_console_keeps_its_form() {
    let console = Console::of(ConsoleMode::Off, ConsoleFormat::Json);
    assert!(console.is_silent());
    assert_eq!(console.or_stderr().style.format, ConsoleFormat::Json);
}

#[test]
fn the_page_about_logging_has_each_event_and_shows_lines_as_they_are() {
    let page = include_str!("../../../../docs/logging.md");
    let (_, page) = page.split_once("## Lines as JSON\n").expect("a section");
    let table: String = page.lines().filter(|line| line.starts_with('|')).collect();
    let names = include_str!("../fields.rs").split("named(\"").skip(1);
    let names: Vec<_> = names.filter_map(|rest| rest.split('"').next()).collect();
    assert!(names.len() > 15, "{names:?}");
    for name in names {
        assert!(table.contains(&format!("`{name}`")), "no {name} on the page");
    }
    let lines: Vec<_> = page.lines().filter(|line| line.starts_with("{\"")).collect();
    let hook = hooks("start db")[0];
    let ended = Event::HookEnded {
        hook,
        outcome: Outcome::Failed { error: "the disk is full".to_owned() },
        took: Duration::from_millis(1_500),
    };
    let (console, written) = console_of(ConsoleFormat::Json);
    console.write_event(Duration::ZERO, &ended, Level::ERROR);
    let names = |line: &str| {
        let names = line.split("\":").filter_map(|part| part.rsplit('"').next());
        names.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(names(lines[0]), names(&written()[0]));
    assert_eq!(lines.iter().filter(|line| object(line)["time"].is_string()).count(), 2);
}

proptest! {
    #[test]
    fn whatever_an_error_says_is_one_object_that_acts_on_no_terminal(
        error in r"(?s)(.|[\x00-\x1f\x7f-\x9f\u{202a}-\u{202e}\u{2028}\u{2029}]|\\|\x22){0,80}",
        times in prop_oneof![Just(1_usize), Just(500)],
    ) {
        let error = error.repeat(times);
        let hook = hooks("start db")[0];
        let outcome = Outcome::Failed { error: error.clone() };
        let (console, lines) = console_of(ConsoleFormat::Json);
        let ended = Event::HookEnded { hook, outcome, took: Duration::ZERO };
        console.write_event(Duration::ZERO, &ended, Level::ERROR);
        let lines = lines();
        prop_assert_eq!(lines.len(), 1);
        prop_assert!(lines[0].len() < LONGEST, "{} bytes", lines[0].len());
        prop_assert!(!lines[0].chars().any(acts));
        let object: Value = serde_json::from_str(&lines[0]).expect("JSON");
        let written = object["error"].as_str().expect("a text");
        let is_cut = written.ends_with(" bytes left out");
        prop_assert!(is_cut || written == error, "{}", lines[0]);
        prop_assert!(times > 1 || !is_cut);
    }
}
