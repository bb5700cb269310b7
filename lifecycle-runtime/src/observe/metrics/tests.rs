//! Tests of metrics.

mod dashboard;
#[cfg(feature = "metrics")]
mod facade;
mod families;
mod many;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::{
    ConnectionCount, MetricFamily, MetricsSnapshot, SampleValue, ServerCounts, TaskCounts,
    TextFormat, families,
};
use crate::event::{
    Event, Observer, Outcome, RuntimeName, ServiceState, StalledPart, State, StopCause, Traffic,
};
use crate::hook::{HookMeta, Kind};
use crate::observe::health::{Checks, Freshness};
use crate::observe::report::Recorder;
use crate::plan::{Plan, sample};
use crate::process::info::Info;
use crate::process::stalls::StallTotal;

const PLAN: &str = "start db; service pump; check ping; check late kind liveness; \
                    signal reload on SIGHUP; signal rotate on SIGUSR2; ready announce; \
                    drain withdraw; stop close of db; stop audit";

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn hook(plan: &Plan, name: &str) -> &'static HookMeta {
    plan.hooks().iter().copied().find(|hook| hook.name() == name).expect("a hook")
}

/// Returns the figures of a run whose stop is in progress, with a sample for each family.
fn stopping() -> MetricsSnapshot {
    let plan = Arc::new(sample::plan(PLAN).expect("valid"));
    let recorder = Recorder::new(plan.hooks().len());
    let at = |at, event: &Event| recorder.on_event(millis(at), event);
    let runs = |name: &str, from, to, outcome| {
        let hook = hook(&plan, name);
        at(from, &Event::HookStarted { hook });
        at(to, &Event::HookEnded { hook, outcome, took: millis(to - from) });
    };
    at(0, &Event::State(State::Starting));
    runs("db", 0, 100, Outcome::Succeeded);
    let pump = hook(&plan, "pump");
    at(100, &Event::HookStarted { hook: pump });
    for (moment, state) in [
        (150, ServiceState::Running),
        (200, ServiceState::BackingOff { after: Outcome::Blocked, delay: millis(50) }),
        (250, ServiceState::Starting),
        (300, ServiceState::Running),
    ] {
        at(moment, &Event::Service { hook: pump, state });
    }
    runs("announce", 300, 320, Outcome::Failed { error: "<script> of GET /path".into() });
    at(400, &Event::State(State::Ready));
    runs("reload", 500, 510, Outcome::Succeeded);
    runs("reload", 600, 610, Outcome::Panicked { message: "no file".into() });
    let checks = Checks::new(plan.of_kind(Kind::HealthCheck));
    for outcome in [Outcome::Succeeded, Outcome::Failed { error: "no answer".into() }] {
        runs("ping", 700, 705, outcome.clone());
        checks.record(hook(&plan, "ping"), &outcome, millis(5));
    }
    runs("ping", 990, 1_000, Outcome::Cancelled { ended: true });
    let (cause, grace) = (StopCause::Signal("SIGTERM"), millis(10_000));
    at(1_000, &Event::StopBegun { cause, grace, requests: None });
    at(1_000, &Event::State(State::Draining));
    runs("withdraw", 1_000, 1_500, Outcome::Succeeded);
    at(2_000, &Event::Drained { traffic: Box::new(Traffic::default()), took: millis(1_000) });
    at(2_000, &Event::State(State::Stopping));
    at(2_100, &Event::Service { hook: pump, state: ServiceState::Stopping });
    at(2_500, &Event::HookStarted { hook: hook(&plan, "close") });
    let missing = hook(&plan, "db");
    let skipped = Outcome::Skipped { missing };
    at(2_600, &Event::HookEnded { hook: hook(&plan, "audit"), outcome: skipped, took: millis(0) });
    let worker = RuntimeName::Worker { number: 1, url: "http://0.0.0.0:8080".to_owned() };
    let stall = |part, count, is_stalled| StallTotal {
        part,
        count,
        time: millis(2_500 * count),
        is_stalled,
    };
    MetricsSnapshot {
        record: recorder.so_far(),
        checks: checks.figures(Freshness::Any),
        stalls: vec![
            stall(StalledPart::Runtime(RuntimeName::Hooks), 0, false),
            stall(StalledPart::BlockingPool(worker), 2, true),
        ],
        servers: vec![ServerCounts {
            url: "http://0.0.0.0:8080".to_owned(),
            in_flight: 1,
            finished: 10,
            cut: 2,
            refused: 3,
            panicked: 4,
            abandoned: 5,
            failed: 6,
            open: vec![ConnectionCount { protocol: "http/2", state: "in_flight", count: 7 }],
            connections_closed: 8,
            connections_cut: 9,
            connections_unaccepted: 11,
        }],
        tasks: TaskCounts { running: 1, finished: 2, cut: 3, panicked: 4 },
        info: Info::new("sh\"op\\\n", "1.2.3").revision("0a1b2c3"),
        began_at: SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600),
        now: millis(3_000),
        plan,
    }
}

/// Returns the figures of a run that has only just begun.
fn beginning() -> MetricsSnapshot {
    let plan = Arc::new(sample::plan(PLAN).expect("valid"));
    let checks = Checks::new(plan.of_kind(Kind::HealthCheck));
    MetricsSnapshot {
        record: Recorder::new(0).so_far(),
        checks: checks.figures(Freshness::Any),
        stalls: Vec::new(),
        servers: Vec::new(),
        tasks: TaskCounts::default(),
        now: Duration::ZERO,
        plan,
        ..stopping()
    }
}

/// Sample with its name and its labels.
struct Series {
    name: String,
    labels: Vec<(&'static str, String)>,
    value: SampleValue,
}

/// Returns all samples.
fn series(snapshot: &MetricsSnapshot) -> Vec<Series> {
    let mut found = Vec::new();
    for family in families() {
        family.samples(snapshot, &mut |labels, value| {
            let labels = labels.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
            found.push(Series { name: family.name(), labels, value });
        });
    }
    found
}

/// Returns the names of a family's labels in a run that has all families.
fn labels_of(name: &str) -> BTreeSet<&'static str> {
    let found = series(&stopping()).into_iter().filter(|series| series.name == name);
    found.flat_map(|series| series.labels).map(|(label, _)| label).collect()
}
