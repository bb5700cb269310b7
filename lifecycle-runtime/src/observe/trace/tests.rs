//! Tests of the events that are passed on, and of the result that says if somebody has shown them.

use std::time::Duration;

use super::sample::traced;
use super::*;
use crate::event::StartFailure;
use crate::plan::sample::hooks;

/// Passes an event on while a subscriber shows this level, and returns the lines of the subscriber
/// and the result.
fn emitted(event: &Event, max: impl Into<Option<Level>>) -> (Vec<String>, Traced) {
    let mut result = None;
    let lines = traced(max, || result = Some(emit(event)));
    (lines, result.expect("it was emitted"))
}

#[test]
fn an_event_is_shown_if_a_subscriber_writes_it_down() {
    let listening = Event::Listening { url: "http://here".to_owned() };
    let info = |is_shown| Traced { level: Level::INFO, is_shown };
    let line = "listening url=\"http://here\"".to_owned();
    assert_eq!(emitted(&listening, Level::INFO), (vec![line], info(true)));
    assert_eq!(emitted(&listening, Level::WARN), (vec![], info(false)));
    assert_eq!(emitted(&listening, None), (vec![], info(false)));
}

#[test]
fn a_service_that_is_failing_is_a_warning() {
    let hook = hooks("service svc")[0];
    let after = Outcome::Panicked { message: "oops".to_owned() };
    let failing = Event::Service { hook, state: ServiceState::Failing { after } };
    let line = "service is failing hook=\"svc\" place=\"app.rs:1\" outcome=panicked: oops";
    let shown = Traced { level: Level::WARN, is_shown: true };
    assert_eq!(emitted(&failing, Level::WARN), (vec![line.to_owned()], shown));
}

#[test]
fn a_check_that_could_not_be_cancelled_is_no_detail() {
    let hook = hooks("check ping")[0];
    let ended = |outcome| Event::HookEnded { hook, outcome, took: Duration::ZERO };
    let level = |outcome| emitted(&ended(outcome), None).1.level;
    assert_eq!(level(Outcome::Cancelled { ended: false }), Level::WARN);
    assert_eq!(level(Outcome::Cancelled { ended: true }), Level::DEBUG);
    assert_eq!(level(Outcome::Succeeded), Level::DEBUG);
}

#[test]
fn what_a_run_came_to_is_shown_with_its_exit_code() {
    let mut shown = false;
    let failed =
        Report::not_begun(1, StartFailure::Unprepared { error: "it is broken".to_owned() });
    let lines = traced(Level::ERROR, || shown = report(&failed).is_shown);
    assert!(shown && lines.len() == 1, "{lines:?}");
    assert!(lines[0].starts_with("run ended exit_code=1"), "{lines:?}");
    assert!(!lines[0].contains("broken"), "{lines:?}");
}
