//! Tests of the answers to each probe.

mod freshness;

use std::time::Duration;

use super::*;
use crate::event::Outcome;
use crate::hook::id::HookId;
use crate::hook::task::{Task, Value};
use crate::hook::{CheckKind, HealthCheckPolicy, HookMeta, Kind, Policy};
use crate::process::stalls::StallLimits;
use Probe::{Liveness, Readiness, Startup};

fn stalls() -> StallTracker {
    StallTracker::new(StallLimits::default())
}

#[track_caller]
fn check(state: State, has_started: bool, ready_while_draining: bool, passing: &[Probe]) {
    let (_sender, progress) =
        watch::channel(Progress { state, has_started, ..Progress::default() });
    let health = Health::new(
        progress,
        ready_while_draining,
        Checks::default(),
        Vec::new,
        |_| vec!["db 2.1 s".to_owned()],
        stalls(),
    );
    let passes = |probe: &Probe| health.answer(*probe, Audience::Operators).passes;
    let passed: Vec<_> = [Liveness, Startup, Readiness].into_iter().filter(passes).collect();
    assert_eq!(passed, passing, "{state}");
}

#[test]
fn only_a_process_that_is_ready_passes_every_probe() {
    check(State::Starting, false, false, &[Liveness]);
    check(State::Ready, true, false, &[Liveness, Startup, Readiness]);
    check(State::Draining, true, false, &[Liveness, Startup]);
    check(State::Stopping, true, false, &[Liveness, Startup]);
    check(State::Stopped, true, false, &[Liveness, Startup]);
}

#[test]
fn readiness_may_outlast_the_signal_but_not_the_server() {
    check(State::Draining, true, true, &[Liveness, Startup, Readiness]);
    check(State::Stopping, true, true, &[Liveness, Startup]);
}

#[test]
fn a_process_that_a_successor_has_taken_over_from_answers_for_the_successor() {
    for state in [State::Draining, State::Stopping, State::Stopped] {
        let progress =
            Progress { state, has_started: true, has_successor: true, ..Progress::default() };
        let (_sender, progress) = watch::channel(progress);
        let health =
            Health::new(progress, false, Checks::default(), Vec::new, |_| Vec::new(), stalls());
        assert_eq!(health.failure_reason(Readiness), None, "{state}");
    }
}

#[test]
fn a_start_that_has_failed_never_passes() {
    check(State::Draining, false, true, &[Liveness]);
    check(State::Stopping, false, true, &[Liveness]);
}

#[test]
fn a_start_that_was_stopped_on_request_has_not_failed() {
    let reason = |start_failed| {
        let state = State::Stopping;
        let (_sender, progress) =
            watch::channel(Progress { state, start_failed, ..Progress::default() });
        Health::new(progress, false, Checks::default(), Vec::new, |_| Vec::new(), stalls())
            .failure_reason(Readiness)
    };
    assert_eq!(reason(true).as_deref(), Some("the start has failed"));
    assert_eq!(reason(false).as_deref(), Some("the process was stopped during the start"));
}

#[test]
fn the_body_says_why() {
    let (sender, progress) = watch::channel(Progress::default());
    let health = Health::new(
        progress,
        false,
        Checks::default(),
        Vec::new,
        |_| vec!["db 2.1 s".to_owned()],
        stalls(),
    );
    assert_eq!(
        health.answer(Readiness, Audience::Operators).body,
        "{\"status\":\"fail\",\"state\":\"starting\",\"reason\":\"the start is not over\",\
         \"waiting_for\":[\"db 2.1 s\"]}"
    );
    sender.send_replace(Progress { state: State::Ready, has_started: true, ..Progress::default() });
    assert_eq!(
        health.answer(Readiness, Audience::Operators).body,
        r#"{"status":"pass","state":"ready"}"#
    );
}

#[test]
fn notes_stand_in_the_answer_about_readiness_and_keep_nothing_from_passing() {
    let progress = |state| Progress { state, has_started: true, ..Progress::default() };
    let (sender, observed) = watch::channel(progress(State::Ready));
    let health =
        Health::new(observed, false, Checks::default(), Vec::new, |_| Vec::new(), stalls())
            .with_notes(|| vec!["going on without it".to_owned()]);
    let body = |probe| health.answer(probe, Audience::Public).body;
    assert_eq!(
        body(Readiness),
        r#"{"status":"pass","state":"ready","notes":["going on without it"]}"#
    );
    assert_eq!(body(Liveness), r#"{"status":"pass","state":"ready"}"#);
    sender.send_replace(progress(State::Draining));
    assert!(!body(Readiness).contains("notes"), "{}", body(Readiness));
}

/// Returns a health check.
fn hook(name: &'static str, kind: &str, failures: u32) -> &'static HookMeta {
    let number = name.bytes().fold(0, |number, byte| number * 256 + u64::from(byte));
    let run = |_| Task::future(async { Ok(Value::new(())) });
    let mut hook = HookMeta::new(HookId::number(number), Kind::HealthCheck, name, "app", run);
    let kind = [CheckKind::Readiness, CheckKind::Liveness, CheckKind::Startup]
        .into_iter()
        .find(|one| one.name() == kind);
    let kind = kind.expect("a kind of check");
    hook.policy =
        Policy::HealthCheck(HealthCheckPolicy { kind, failures, ..HealthCheckPolicy::DEFAULT });
    Box::leak(Box::new(hook))
}

/// Checks which probes fail after these results of a check, each `pass` or an error, and the status
/// of the check in the answer to its own probe.
#[track_caller]
fn check_results(kind: &str, results: &str, failing: &[Probe], status: &str) {
    let hooks = [hook("ping", kind, 2)];
    let checks = Checks::new(hooks);
    for result in results.split_whitespace() {
        let outcome = match result {
            "pass" => Outcome::Succeeded,
            error => Outcome::Failed { error: error.to_owned() },
        };
        checks.record(hooks[0], &outcome, Duration::from_millis(5));
    }
    let (_sender, progress) =
        watch::channel(Progress { state: State::Ready, has_started: true, ..Progress::default() });
    let health = Health::new(progress, false, checks, Vec::new, |_| Vec::new(), stalls());
    let failed: Vec<_> = [Liveness, Startup, Readiness]
        .into_iter()
        .filter(|probe| !health.answer(*probe, Audience::Operators).passes)
        .collect();
    assert_eq!(failed, failing, "{kind}: {results}");
    let probe = match kind {
        "readiness" => Readiness,
        "liveness" => Liveness,
        _ => Startup,
    };
    let body: serde_json::Value =
        serde_json::from_str(&health.answer(probe, Audience::Operators).body).expect("JSON");
    assert_eq!(body["checks"][0]["status"], status, "{kind}: {results}: {body}");
}

#[test]
fn a_check_counts_for_its_own_probe() {
    check_results("readiness", "late late", &[Readiness], "fail");
    check_results("liveness", "late late", &[Liveness], "fail");
    // A process that has not started is not ready.
    check_results("startup", "late late", &[Startup, Readiness], "fail");
}

#[test]
fn as_many_failures_as_it_says_count_and_one_success_ends_them() {
    check_results("liveness", "", &[], "pending");
    check_results("liveness", "late", &[], "pass");
    check_results("liveness", "late late", &[Liveness], "fail");
    check_results("readiness", "late pass late", &[], "pass");
    check_results("readiness", "pass late late", &[Readiness], "fail");
    check_results("readiness", "late late late pass", &[], "pass");
}

#[test]
fn a_readiness_check_has_to_pass_once() {
    check_results("readiness", "", &[Readiness], "pending");
    check_results("readiness", "late", &[Readiness], "fail");
    check_results("readiness", "pass", &[], "pass");
}

#[test]
fn a_check_of_the_startup_has_to_pass_once() {
    check_results("startup", "", &[Startup, Readiness], "pending");
    check_results("startup", "late", &[Startup, Readiness], "fail");
    check_results("startup", "late late pass", &[], "pass");
}

#[tokio::test(start_paused = true)]
async fn the_body_tells_of_each_check() {
    let hooks =
        [hook("db", "readiness", 3), hook("mail", "readiness", 3), hook("alive", "liveness", 3)];
    let checks = Checks::new(hooks);
    let failed = Outcome::Failed { error: "no answer".to_owned() };
    checks.record(hooks[0], &Outcome::Succeeded, Duration::from_millis(2));
    checks.record(hooks[1], &failed, Duration::from_millis(5));
    tokio::time::advance(Duration::from_millis(70)).await;
    let (sender, progress) =
        watch::channel(Progress { state: State::Ready, has_started: true, ..Progress::default() });
    let health = Health::new(progress, true, checks, Vec::new, |_| Vec::new(), stalls());
    let body: serde_json::Value =
        serde_json::from_str(&health.answer(Readiness, Audience::Operators).body).expect("JSON");
    assert_eq!(
        (&body["status"], &body["reason"]),
        (&"fail".into(), &"health check `mail` failed: no answer".into())
    );
    let [db, mail] = &body["checks"].as_array().expect("a list")[..] else { panic!("{body}") };
    let passes = serde_json::json!({
        "name": "db", "status": "pass", "last_error": null, "age": 70.0, "took": 2.0,
    });
    assert_eq!(*db, passes);
    let told = serde_json::json!({
        "name": "mail", "status": "fail", "last_error": "failed: no answer", "age": 70.0,
        "took": 5.0,
    });
    assert_eq!(*mail, told);
    // The same holds while requests drain, if the process is to be ready meanwhile.
    sender.send_replace(Progress {
        state: State::Draining,
        has_started: true,
        ..Progress::default()
    });
    assert!(!health.answer(Readiness, Audience::Operators).passes);
}

#[test]
fn a_process_that_stops_is_not_to_be_killed_for_its_checks() {
    let hooks = [hook("alive", "liveness", 1)];
    let checks = Checks::new(hooks);
    checks.record(hooks[0], &Outcome::Failed { error: "stuck".to_owned() }, Duration::ZERO);
    let (sender, progress) =
        watch::channel(Progress { state: State::Ready, has_started: true, ..Progress::default() });
    let health = Health::new(progress, false, checks, Vec::new, |_| Vec::new(), stalls());
    assert!(!health.answer(Liveness, Audience::Operators).passes);
    sender.send_replace(Progress {
        state: State::Draining,
        has_started: true,
        ..Progress::default()
    });
    assert!(health.answer(Liveness, Audience::Operators).passes);
}

#[test]
fn only_what_changes_is_reported() {
    let hooks =
        [hook("ready", "readiness", 2), hook("first", "startup", 2), hook("never", "readiness", 2)];
    let checks = Checks::new(hooks);
    for (hook, results) in [
        (
            hooks[0],
            [
                ("pass", None),
                ("late", None),
                ("late", Some(false)),
                ("late", None),
                ("pass", Some(true)),
            ],
        ),
        (
            hooks[2],
            [
                ("late", Some(false)),
                ("late", None),
                ("pass", Some(true)),
                ("late", None),
                ("late", Some(false)),
            ],
        ),
        (
            hooks[1],
            [
                ("late", None),
                ("late", Some(false)),
                ("late", None),
                ("pass", Some(true)),
                ("pass", None),
            ],
        ),
    ] {
        for (result, reported) in results {
            let failed = Outcome::Failed { error: result.to_owned() };
            let outcome = if result == "pass" { Outcome::Succeeded } else { failed };
            assert_eq!(
                checks.record(hook, &outcome, Duration::ZERO),
                reported,
                "{} {result}",
                hook.name()
            );
        }
    }
}

#[test]
fn checks_are_told_by_the_names_that_tell_them_apart() {
    let named = |id, display_name| {
        let name = "ping";
        &*Box::leak(Box::new(HookMeta { name, display_name, ..*hook(id, "readiness", 1) }))
    };
    let hooks = [named("a", "cache::ping"), named("b", "store::ping")];
    let checks = Checks::new(hooks);
    checks.record(hooks[0], &Outcome::Failed { error: "gone".to_owned() }, Duration::ZERO);
    let (_sender, progress) =
        watch::channel(Progress { state: State::Ready, has_started: true, ..Progress::default() });
    let health = Health::new(progress, false, checks, Vec::new, |_| Vec::new(), stalls());
    let body = health.answer(Readiness, Audience::Operators).body;
    let reason = r#""reason":"health check `cache::ping` failed: gone"#;
    for text in [reason, r#""name":"cache::ping""#, r#""name":"store::ping""#] {
        assert!(body.contains(text), "no {text} in {body}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_runs_of_a_check_are_kept() {
    let hooks = [hook("db", "readiness", 3), hook("new", "liveness", 2)];
    let checks = Checks::new(hooks);
    for run in 0..25 {
        let failed = Outcome::Failed { error: format!("no answer {run}") };
        let outcome = if run < 23 { Outcome::Succeeded } else { failed };
        checks.record(hooks[0], &outcome, Duration::from_millis(run));
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    let shown = serde_json::to_value(checks.with_history(Freshness::Any)).expect("plain values");
    let history = shown[0]["history"].as_array().expect("a list");
    assert_eq!(history.len(), 20);
    let run = |at: usize| history[at].clone();
    let failed = |run: u64, took: f64, age: f64| {
        let error = format!("failed: no answer {run}");
        serde_json::json!({ "age": age, "took": took, "error": error })
    };
    assert_eq!((run(0), run(1)), (failed(24, 24.0, 1_000.0), failed(23, 23.0, 2_000.0)));
    assert_eq!(run(19), serde_json::json!({ "age": 20_000.0, "took": 5.0, "error": null }));
    let mut check = shown[0].clone();
    check.as_object_mut().expect("an object").remove("history");
    let expected = serde_json::json!({
        "hook": "app::db", "name": "db", "kind": "readiness", "status": "pass",
        "last_error": "failed: no answer 24", "age": 1_000.0, "took": 24.0,
        "failures": 2, "limit": 3, "interval": check["interval"],
    });
    assert_eq!(check, expected);
    assert_eq!(
        (&shown[1]["status"], &shown[1]["history"]),
        (&"pending".into(), &serde_json::json!([]))
    );
}
