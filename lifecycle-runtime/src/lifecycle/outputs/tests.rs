//! Tests of which output shows which event, and how a failed start is shown.

use super::*;
use crate::event::{HookFailure, LastRun, Limit, ServiceState, StartFailure};
use crate::hook::stop::{ServerEnd, StopCause};
use crate::observe::console::sample::console;
use crate::observe::trace::sample::traced;
use crate::plan::sample::hooks;

/// Checks the lines of a start whose hooks `db`, the service `svc`, and `warm` do this: `svc
/// failed`, `optional failed`, `ready`, and `start failed by svc` or by anything else.
#[track_caller]
fn check(happens: &str, written: &str) {
    let hooks = hooks("start db; service svc; service optional exit ignore; ready warm");
    let (console, lines) = console(false, false);
    let outputs = Outputs::new(console);
    let broken = Outcome::Failed { error: "broken".to_owned() };
    let hook = |name: &str| hooks.iter().copied().find(|hook| hook.name() == name);
    for what in happens.split(", ") {
        let event = match what.split_once(" failed").unwrap_or((what, "")) {
            ("ready", _) => Event::State(State::Ready),
            ("start", by) => {
                let failure = match hook(by.trim_start_matches(" by ")) {
                    Some(hook) => StartFailure::of(hook, broken.clone()),
                    None => StartFailure::Ended { cause: StopCause::Server(ServerEnd::Worker) },
                };
                Event::StartFailed { failure }
            }
            (name, _) => {
                let hook = hook(name).expect("a hook");
                Event::HookEnded { hook, outcome: broken.clone(), took: Duration::from_secs(1) }
            }
        };
        traced(None, || outputs.on_event(Duration::from_secs(2), &event));
    }
    let lines = lines().into_iter().filter(|line| line != "rolling back what has started");
    let lines: Vec<_> = lines.collect();
    assert_eq!(lines.join(" | "), written, "{happens}");
}

#[test]
fn the_failure_that_a_start_fails_by_is_told_once() {
    for (name, line) in [("db", 1), ("svc", 2), ("warm", 4)] {
        let happens = format!("{name} failed, start failed by {name}");
        check(&happens, &format!("start failed: hook `{name}` (app.rs:{line}) failed: broken"));
    }
}

#[test]
fn every_other_failure_is_told_too() {
    let (db, svc) = ("hook `db` (app.rs:1) failed: broken", "hook `svc` (app.rs:2) failed: broken");
    check(
        "db failed, svc failed, start failed by db",
        &format!("{svc} (after 1 s) | start failed: {db}"),
    );
    check(
        "db failed, start failed by db, svc failed",
        &format!("start failed: {db} | {svc} (after 1 s)"),
    );
    check(
        "svc failed, start failed by the server",
        &format!(
            "{svc} (after 1 s) | start failed: stopped: the server failed: a worker has ended"
        ),
    );
    // The service asks for the stop when nothing of the start is left to fail.
    check("svc failed, ready", &format!("{svc} (after 1 s) | ready after 2 s"));
    check("ready, svc failed", &format!("ready after 2 s | {svc} (after 1 s)"));
    let optional = "hook `optional` (app.rs:3) failed: broken; going on without it (after 1 s)";
    check(
        "optional failed, start failed by the server",
        &format!("{optional} | start failed: stopped: the server failed: a worker has ended"),
    );
}

#[test]
fn a_service_that_never_became_ready_is_told_once() {
    let hook = hooks("service svc")[0];
    let (console, lines) = console(false, false);
    let outputs = Outputs::new(console);
    let outcome = Outcome::TimedOut { limit: Limit::StartupTimeout, ended: true };
    let last_run = LastRun { outcome: Outcome::Failed { error: "broken".to_owned() }, restarts: 0 };
    let ended = HookFailure { outcome: outcome.clone(), last_run: Some(last_run) };
    let failure = StartFailure::Hook { hook, failure: ended };
    let reason = format!("{}; its last run failed: broken", outcome.of(hook));
    traced(None, || {
        outputs.on_event(Duration::ZERO, &Event::HookEnded { hook, outcome, took: Duration::ZERO });
        outputs.on_event(Duration::ZERO, &Event::StartFailed { failure });
    });
    assert_eq!(
        lines(),
        [format!("start failed: {reason}"), "rolling back what has started".to_owned()]
    );
}

#[test]
fn tracing_is_told_which_hook_a_start_failed_by() {
    let [db, svc] = hooks("start db; service svc")[..] else { unreachable!("there are two") };
    let outputs = Outputs::new(console(true, false).0);
    let broken = Outcome::Failed { error: "broken".to_owned() };
    let ended = |hook| Event::HookEnded { hook, outcome: broken.clone(), took: Duration::ZERO };
    let shown = traced(Level::ERROR, || {
        outputs.on_event(Duration::ZERO, &ended(svc));
        outputs.on_event(Duration::ZERO, &ended(db));
        let failure = StartFailure::of(db, broken.clone());
        outputs.on_event(Duration::ZERO, &Event::StartFailed { failure });
    });
    let [other, failed] = &shown[..] else { panic!("{shown:?}") };
    assert!(other.starts_with("hook failed hook=\"svc\" kind=service"), "{other}");
    let fields = "start failed hook=\"db\" kind=\"on_startup\" place=\"app.rs:1\" reason=";
    assert!(failed.starts_with(fields), "{failed}");
}

/// Checks the lines that the console writes and `tracing` shows of some events, if a subscriber
/// shows this level.
#[track_caller]
fn check_told(is_auto: bool, max: Option<Level>, written: &[&str], shown: &[&str]) {
    let hook = hooks("start db")[0];
    let backing_off = ServiceState::BackingOff { after: Outcome::Succeeded, delay: Duration::ZERO };
    let events = [
        Event::State(State::Starting),
        Event::HookStarted { hook },
        Event::Service { hook, state: backing_off },
        Event::HookStarted { hook },
        Event::StartFailed { failure: StartFailure::AppTimedOut },
    ];
    let (console, lines) = console(is_auto, false);
    let outputs = Outputs::new(console);
    let tell = || events.iter().for_each(|event| outputs.on_event(Duration::ZERO, event));
    let traced = traced(max, tell);
    let first = |line: &String| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    assert_eq!(lines().iter().map(first).collect::<Vec<_>>(), written, "{is_auto} {max:?}");
    assert_eq!(traced.iter().map(first).collect::<Vec<_>>(), shown, "{is_auto} {max:?}");
}

#[test]
fn the_console_leaves_out_what_tracing_shows_and_nothing_else() {
    let all = ["start db", "service `db`", "start db", "start failed:", "rolling back"];
    check_told(true, None, &all, &[]);
    check_told(
        true,
        Some(Level::ERROR),
        &["start db", "service `db`", "start db"],
        &["start failed"],
    );
    check_told(
        true,
        Some(Level::WARN),
        &["start db", "start db"],
        &["service backs", "start failed"],
    );
    // The begin of a hook is a detail, which this subscriber leaves out on purpose.
    check_told(
        true,
        Some(Level::INFO),
        &[],
        &["state state=starting", "service backs", "start failed"],
    );
    let details =
        ["state state=starting", "hook started", "service backs", "hook started", "start failed"];
    check_told(true, Some(Level::DEBUG), &[], &details);
}

#[test]
fn a_console_that_is_on_writes_what_tracing_shows_too() {
    let all = ["start db", "service `db`", "start db", "start failed:", "rolling back"];
    check_told(
        false,
        Some(Level::INFO),
        &all,
        &["state state=starting", "service backs", "start failed"],
    );
}

#[test]
fn a_subscriber_that_comes_with_a_hook_takes_over_from_the_console() {
    let hook = hooks("start logs")[0];
    let (console, lines) = console(true, false);
    let outputs = Outputs::new(console);
    let tell = |event| outputs.on_event(Duration::ZERO, &event);
    traced(None, || {
        tell(Event::State(State::Starting));
        tell(Event::HookStarted { hook });
    });
    let done = Event::HookEnded { hook, outcome: Outcome::Succeeded, took: Duration::ZERO };
    let shown = traced(Level::INFO, || {
        tell(done);
        tell(Event::State(State::Ready));
    });
    assert_eq!(lines(), ["start logs"]);
    assert_eq!(shown.len(), 2, "{shown:?}");
}
