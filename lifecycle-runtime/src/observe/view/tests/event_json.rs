//! Tests of the fields of events, which stay as they are.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use super::millis;
use crate::event::{
    Event, Outcome, Probe, RequestInfo, RequestPanic, RuntimeName, ScaledLimit, ServiceState,
    StalledPart, StartFailure, State, StopCause, Traffic, UpgradeError, Wait,
};
use crate::observe::view::event_json;
use crate::plan::sample;

#[test]
fn the_fields_of_each_event_stay_as_they_are() {
    let hook = sample::hooks("start db")[0];
    let failed = Outcome::Failed { error: "<script>\n\"gone\"</script>".to_owned() };
    let cause = StopCause::Signal("SIGTERM");
    let mut traffic = Traffic::default();
    let cut = RequestInfo {
        method: "GET".into(),
        path: "/report".to_owned(),
        running: Duration::from_micros(4_210_500),
    };
    traffic.requests.cut.push(cut);
    let running = millis(12);
    let request = RequestInfo { method: "GET".into(), path: "/".to_owned(), running };
    let panic = RequestPanic { request, message: Some("no idea".to_owned()) };
    let error = Arc::new(std::io::Error::other("no descriptor"));
    let delay = millis(1_500);
    let events = [
        Event::State(State::Ready),
        Event::HookStarted { hook },
        Event::HookEnded { hook, outcome: Outcome::Succeeded, took: Duration::from_micros(1_234) },
        Event::HookEnded { hook, outcome: failed.clone(), took: millis(2) },
        Event::Health { hook, passes: true, error: None },
        Event::Health { hook, passes: false, error: Some(failed.clone()) },
        Event::Service { hook, state: ServiceState::Running },
        Event::Service { hook, state: ServiceState::BackingOff { after: failed.clone(), delay } },
        Event::DropFailed { hook, outcome: Outcome::Panicked { message: "gone".into() } },
        Event::ValueHeld { hook, others: 2 },
        Event::Listening { url: "http://127.0.0.1:8080".to_owned() },
        Event::AdminListening { url: "unix:/run/admin.sock".to_owned() },
        Event::AcceptFailed { error },
        Event::AcceptRecovered { after: millis(3_000) },
        Event::RequestPanicked { panic, in_task: false, left_out: 2 },
        Event::Stalled {
            part: StalledPart::Runtime(RuntimeName::Hooks),
            after: millis(5_000),
            holders: vec![Wait::Hook { hook, running: millis(5_200) }],
            probes: vec![Probe::Liveness],
        },
        Event::StallEnded {
            part: StalledPart::BlockingPool(RuntimeName::Worker {
                number: 1,
                url: "http://127.0.0.1:8080".to_owned(),
            }),
            took: millis(12_000),
        },
        Event::StartFailed { failure: StartFailure::AppTimedOut },
        Event::StartInterrupted { cause: cause.clone() },
        Event::StopRepeated { signal: "SIGINT", is_hurried: true },
        Event::LateFailure { error: "the disk is full".to_owned() },
        Event::UpgradeBegun { program: "/usr/bin/shop".into() },
        Event::UpgradeFailed { error: UpgradeError::UnderWay },
        Event::Upgraded { successor: 4_711 },
        Event::TookOver { predecessor: 4_710 },
        Event::StopBegun { cause, grace: millis(25_000), requests: Some(millis(12_000)) },
        Event::Hurried,
        Event::Waiting { on: vec![Wait::Connections { count: 2 }] },
        Event::Drained { traffic: Box::new(traffic), took: millis(700) },
        Event::BudgetExceeded {
            needed: millis(30_000),
            grace: millis(25_000),
            requests: None,
            delay: None,
            limits: vec![ScaledLimit { hook, limit: millis(10), has: millis(5) }],
        },
    ];
    let mut lines = String::new();
    for event in events {
        let _ = writeln!(lines, "{}", event_json::text(millis(1_000), &event));
    }
    insta::assert_snapshot!(lines);
}
