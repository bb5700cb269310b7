//! Test of documents about many hooks.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use super::sample_health;
use crate::event::{Event, Observer, Outcome, ServiceState, State, StopCause};
use crate::hook::id::HookId;
use crate::hook::stop::Progress;
use crate::hook::{
    Dependencies, Dependency, DependencySource, HookMeta, Kind, Policy, ServicePolicy,
};
use crate::observe::health::Checks;
use crate::observe::live::Live;
use crate::observe::report::Recorder;
use crate::observe::view::{About, EventLog, RunView, Shown};
use crate::plan::{Plan, sample};
use crate::process::stalls::{StallLimits, StallTracker};

const MANY: u64 = 10_000;

/// Returns a hook that needs the one of another number.
fn hook(number: u64, kind: Kind, needs: Option<&'static HookMeta>) -> &'static HookMeta {
    let name: &str = Box::leak(format!("hook_{number}").into_boxed_str());
    let after: Vec<_> =
        needs.into_iter().map(|needed| Dependency::on(needed, Dependencies::NONE)).collect();
    let dependencies = Dependencies { after: after.leak(), ..Dependencies::NONE };
    let policy = match kind {
        Kind::Service => Policy::Service(ServicePolicy::DEFAULT),
        _ => Policy::None,
    };
    let model = sample::hooks("start model")[0];
    Box::leak(Box::new(HookMeta {
        id: HookId::number(MANY + number),
        kind,
        name,
        display_name: name,
        dependencies: DependencySource::Data(dependencies),
        policy,
        ..HookMeta::new(model.id, kind, name, "app", model.run)
    }))
}

/// Checks that a run of many hooks is shown, each once. If anything were looked for by a search
/// among them, this would take minutes.
#[test]
fn many_hooks_are_shown() {
    let mut hooks: Vec<&'static HookMeta> = Vec::new();
    for number in 0..MANY {
        let kind = if number % 2 == 0 { Kind::Startup } else { Kind::Service };
        // A chain, a fan, and hooks that stand alone.
        let needed = match number % 3 {
            0 => hooks.last().copied(),
            1 => hooks.first().copied(),
            _ => None,
        };
        hooks.push(hook(number, kind, needed.filter(|needed| needed.kind == Kind::Startup)));
    }
    let plan = Arc::new(Plan::new(hooks.iter().copied()).expect("valid"));
    let recorder = Recorder::new(hooks.len());
    for (hook, at) in plan.hooks().iter().copied().zip(1..) {
        let tell = |event: &Event| recorder.on_event(Duration::from_millis(at), event);
        tell(&Event::HookStarted { hook });
        if hook.kind == Kind::Service {
            tell(&Event::Service { hook, state: ServiceState::Running });
        } else {
            let took = Duration::from_micros(1);
            tell(&Event::HookEnded { hook, outcome: Outcome::Succeeded, took });
        }
    }
    let (cause, grace) = (StopCause::Signal("SIGTERM"), Duration::from_secs(25));
    let at = Duration::from_secs(60);
    recorder.on_event(at, &Event::StopBegun { cause, grace, requests: None });
    recorder.on_event(at, &Event::State(State::Stopping));
    for hook in plan.of_kind(Kind::Service) {
        recorder.on_event(at, &Event::Service { hook, state: ServiceState::Stopping });
    }
    let checks = Checks::default();
    let stalls = StallTracker::new(StallLimits::default());
    let live = Live::new(recorder.clone(), checks.clone(), stalls.clone());
    let (events, about, began) = (EventLog::new(), About::default(), Instant::now());
    let (_sender, progress) = watch::channel(Progress::default());
    let health = sample_health(progress);
    let view =
        RunView::new(Shown { plan, recorder, checks, health, stalls, live, events, about, began });
    let count = |document: &str, list: &str| {
        let document: Value = serde_json::from_str(document).expect("JSON");
        document[list].as_array().expect("a list").len() as u64
    };
    assert_eq!(count(&view.plan(), "hooks"), MANY);
    assert_eq!(count(&view.timeline(), "hooks"), MANY);
    assert_eq!(count(&view.timeline(), "waiting_for"), MANY / 2);
    assert_eq!(count(&view.timeline(), "waits"), MANY / 2);
    assert_eq!(count(&view.services(), "services"), MANY / 2);
}
