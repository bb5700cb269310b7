//! Tests of the course of a run, as JSON.

use std::time::Duration;

use serde_json::{Value, json};

use tokio::sync::watch;

use super::{millis, sample_health};
use crate::event::{
    Event, HookFailure, Observer, Outcome, RequestInfo, RuntimeName, ServiceState, StalledPart,
    State, StopCause, Traffic, Wait,
};
use crate::hook::stop::Progress;
use crate::hook::{HookMeta, Phase};
use crate::observe::report::Recorder;
use crate::observe::view::live_facts::{LiveFacts, ProbesJson, StallJson};
use crate::observe::view::timeline::{PhasePaths, TimelineJson};
use crate::plan::{Plan, sample};

const PLAN: &str = "start db; service pump needs db; ready announce; drain withdraw; \
                    stop close of db; stop flush needs db; stop audit needs lost; start lost";

/// Returns facts of the moment, in a process that is ready.
fn facts(waits: Vec<Wait>, stalls: Vec<Stall>) -> LiveFacts {
    let progress = Progress { state: State::Ready, has_started: true, ..Progress::default() };
    let (_sender, progress) = watch::channel(progress);
    let stalls = stalls.into_iter().map(StallJson::of).collect();
    LiveFacts { waits, stalls, probes: ProbesJson::of(&sample_health(progress)) }
}

/// Part of a process that is stalled, for how long, and by what.
type Stall = (StalledPart, Duration, Vec<Wait>);

/// Run that is recorded event by event.
struct Recorded {
    plan: Plan,
    recorder: Recorder,
}

impl Recorded {
    fn new(plan: &str) -> Self {
        let plan = sample::plan(plan).expect("valid");
        let recorder = Recorder::new(plan.hooks().len());
        Self { plan, recorder }
    }

    fn hook(&self, name: &str) -> &'static HookMeta {
        self.plan.hooks().iter().find(|hook| hook.name() == name).expect("a hook")
    }

    fn at(&self, at: u64, event: &Event) {
        self.recorder.on_event(millis(at), event);
    }

    fn runs(&self, name: &str, from: u64, to: u64, outcome: Outcome) {
        let hook = self.hook(name);
        self.at(from, &Event::HookStarted { hook });
        self.at(to, &Event::HookEnded { hook, outcome, took: millis(to - from) });
    }

    fn service(&self, name: &str, at: u64, state: ServiceState) {
        self.at(at, &Event::Service { hook: self.hook(name), state });
    }

    fn timeline(&self, now: u64) -> Value {
        let record = self.recorder.so_far();
        let running = self.recorder.running().into_iter();
        let waits = running
            .map(|(hook, since)| Wait::Hook { hook, running: millis(now).saturating_sub(since) })
            .collect();
        let (over, facts) = (PhasePaths::default(), facts(waits, Vec::new()));
        let timeline = TimelineJson::of(&self.plan, record, &over, facts, millis(now));
        serde_json::to_value(timeline).expect("plain values")
    }
}

/// Records a run until its stop is in progress.
fn stopping() -> Recorded {
    let run = Recorded::new(PLAN);
    run.at(0, &Event::State(State::Starting));
    run.runs("db", 0, 100, Outcome::Succeeded);
    let pump = run.hook("pump");
    run.at(100, &Event::HookStarted { hook: pump });
    run.service("pump", 100, ServiceState::Starting);
    run.service("pump", 300, ServiceState::Running);
    run.runs("announce", 300, 350, Outcome::Succeeded);
    run.at(350, &Event::State(State::Ready));
    let cause = StopCause::Signal("SIGTERM");
    let grace = Duration::from_secs(25);
    run.at(1_000, &Event::StopBegun { cause, grace, requests: None });
    run.at(1_000, &Event::State(State::Draining));
    run.runs("withdraw", 1_000, 1_400, Outcome::Succeeded);
    run.at(1_500, &Event::Drained { traffic: Box::<Traffic>::default(), took: millis(500) });
    run.at(1_500, &Event::State(State::Stopping));
    run.service("pump", 1_500, ServiceState::Stopping);
    run.service("pump", 1_600, ServiceState::Stopped);
    let outcome = Outcome::Succeeded;
    run.at(1_600, &Event::HookEnded { hook: pump, outcome, took: millis(1_500) });
    let missing = run.hook("lost");
    let (hook, outcome) = (run.hook("audit"), Outcome::Skipped { missing });
    run.at(1_600, &Event::HookEnded { hook, outcome, took: Duration::ZERO });
    run.at(1_600, &Event::HookStarted { hook: run.hook("flush") });
    run
}

#[test]
fn a_stop_in_progress_is_shown_with_its_path_so_far() {
    insta::assert_snapshot!(pretty(&stopping().timeline(2_600)));
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("plain values")
}

#[test]
fn a_stop_that_is_over_is_shown_with_what_failed() {
    let run = stopping();
    let error = "<script>alert(1)</script>".to_owned();
    let outcome = Outcome::Failed { error };
    let hook = run.hook("flush");
    run.at(2_600, &Event::HookEnded { hook, outcome, took: millis(1_000) });
    run.runs("close", 2_600, 2_700, Outcome::Succeeded);
    let hook = run.hook("db");
    let outcome = Outcome::Panicked { message: "dropped".into() };
    run.at(2_700, &Event::DropFailed { hook, outcome });
    run.at(2_700, &Event::State(State::Stopped));
    let timeline = run.timeline(9_000);
    assert_eq!(timeline["stop"]["ended"], 2_700.0);
    let path: Vec<_> =
        timeline["stop"]["critical_path"].as_array().expect("a list").iter().collect();
    let path: Vec<_> = path.into_iter().map(|step| (&step["name"], &step["took"])).collect();
    let expected = [("withdraw", 400.0), ("pump", 100.0), ("flush", 1_000.0), ("close", 100.0)];
    let expected = expected.map(|(name, took)| (json!(name), json!(took)));
    assert_eq!(path, expected.iter().map(|(name, took)| (name, took)).collect::<Vec<_>>());
    let hooks = timeline["hooks"].as_array().expect("a list");
    let of = |name: &str, is_drop: bool| {
        hooks
            .iter()
            .find(|hook| hook["name"] == name && hook["is_drop"] == is_drop)
            .expect("a hook")
    };
    assert_eq!(of("flush", false)["error"], "failed: <script>alert(1)</script>");
    assert_eq!(of("db", true)["outcome"], json!({ "result": "panicked", "message": "dropped" }));
    assert_eq!(of("db", false)["paths"], json!(["start"]));
    assert_eq!(of("pump", false)["paths"], json!(["start", "stop"]));
}

#[test]
fn a_start_that_has_not_begun_has_no_path() {
    let timeline = Recorded::new("").timeline(0);
    assert_eq!(timeline["start"]["critical_path"], json!([]));
    assert_eq!((&timeline["stop"], &timeline["state"]), (&Value::Null, &json!("starting")));
}

#[test]
fn the_path_of_a_phase_that_is_over_is_the_executors() {
    let run = Recorded::new("drain withdraw; stop flush");
    let cause = StopCause::Signal("SIGTERM");
    run.at(0, &Event::StopBegun { cause, grace: millis(9_000), requests: None });
    run.runs("withdraw", 0, 400, Outcome::Succeeded);
    run.at(900, &Event::HookStarted { hook: run.hook("flush") });
    // The requests took the time.
    let mut over = PhasePaths::default();
    over.add(Phase::Drain, Vec::new());
    let record = run.recorder.so_far();
    let timeline =
        TimelineJson::of(&run.plan, record, &over, facts(Vec::new(), Vec::new()), millis(1_000));
    let path =
        serde_json::to_value(timeline).expect("plain values")["stop"]["critical_path"].take();
    assert_eq!(path, json!([{ "hook": "app::flush", "name": "flush", "took": 100.0 }]));
}

#[test]
fn each_kind_of_wait_has_fields_of_its_own_beside_its_text() {
    let run = stopping();
    let (hook, pump) = (run.hook("db"), run.hook("pump"));
    let running = millis(4_200);
    let request = RequestInfo { method: "GET".into(), path: "/report".to_owned(), running };
    let longest = vec![request];
    let outcome = Outcome::Failed { error: "no route".to_owned() };
    let last_error = Some(HookFailure { outcome, last_run: None });
    let state = ServiceState::Starting;
    let waits = vec![
        Wait::Hook { hook, running },
        Wait::Service { hook: pump, state, running, last_error },
        Wait::Requests { count: 7, longest: longest.clone() },
        Wait::Tasks { count: 1, longest },
        Wait::Connections { count: 3 },
        Wait::BlockedWorkers { count: 1 },
        Wait::BlockingPools { count: 1 },
        Wait::Apps { count: 2 },
        Wait::DrainDelay { left: millis(500) },
        Wait::Value { hook, others: 2 },
        Wait::Observers { running },
        Wait::Publication { running },
    ];
    let facts = facts(waits, Vec::new());
    let record = run.recorder.so_far();
    let timeline =
        TimelineJson::of(&run.plan, record, &PhasePaths::default(), facts, millis(2_600));
    let timeline = serde_json::to_value(timeline).expect("plain values");
    let lines = |list: &str| {
        let list = timeline[list].as_array().expect("a list").iter();
        list.map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(format!("{}\n\n{}", lines("waits"), lines("waiting_for")));
    let document = include_str!("../../../../docs/admin.md");
    for wait in timeline["waits"].as_array().expect("a list") {
        for field in wait.as_object().expect("an object").keys() {
            assert!(document.contains(&format!("`{field}`")), "{field}");
        }
        let kind = wait["kind"].as_str().expect("a kind");
        assert!(document.contains(&format!("`{kind}`")), "{kind}");
    }
}

#[test]
fn a_stall_has_its_part_and_the_text_of_the_console() {
    let hook = stopping().hook("pump");
    let url = "http://127.0.0.1:8080".to_owned();
    let worker = RuntimeName::Worker { number: 1, url };
    let holder = || vec![Wait::Hook { hook, running: millis(5_200) }];
    let stalls = [
        (StalledPart::Runtime(RuntimeName::Hooks), holder()),
        (StalledPart::Runtime(worker.clone()), Vec::new()),
        (StalledPart::BlockingPool(worker), Vec::new()),
    ];
    let lines = stalls.map(|(part, holders)| {
        let stall = StallJson::of((part, millis(5_000), holders));
        serde_json::to_string_pretty(&stall).expect("plain values")
    });
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn a_stop_that_is_over_has_its_traffic_and_the_exit_code_of_the_run() {
    let run = stopping();
    let timeline = run.timeline(2_600);
    assert_eq!(timeline["stop"]["exit_code"], Value::Null);
    assert_eq!(timeline["stop"]["traffic"]["requests"]["finished"], 0);
    run.at(2_600, &Event::State(State::Stopped));
    assert_eq!(run.timeline(2_700)["stop"]["exit_code"], 0);
    let (hook, outcome) = (run.hook("close"), Outcome::Blocked);
    run.at(2_700, &Event::HookEnded { hook, outcome, took: Duration::ZERO });
    assert_eq!(run.timeline(2_800)["stop"]["exit_code"], 3);
}

#[test]
fn steps_are_counted_as_on_a_terminal() {
    let timeline = stopping().timeline(2_600);
    let counts = |of: &str| (timeline[of]["done"].clone(), timeline[of]["total"].clone());
    // `db`, `pump` and `announce` of those and `lost`; `withdraw`, `pump` and `audit` of those,
    // `flush` and `close`.
    assert_eq!(counts("start"), (json!(3), json!(4)));
    assert_eq!(counts("stop"), (json!(3), json!(5)));
}

#[test]
fn a_hook_that_recurs_has_the_outcome_of_its_last_run() {
    let run = Recorded::new("signal reload");
    let failed = Outcome::Failed { error: "no file".to_owned() };
    run.runs("reload", 0, 10, failed);
    let outcome = |run: &Recorded| run.timeline(50)["recurring"][0]["last_outcome"].take();
    assert_eq!(outcome(&run), json!({ "result": "failed", "error": "no file" }));
    run.runs("reload", 20, 30, Outcome::Succeeded);
    assert_eq!(outcome(&run), json!({ "result": "succeeded" }));
    assert_eq!(run.timeline(50)["recurring"][0]["last_error"], "failed: no file");
}
