//! Tests of the texts about services while they run, as data: the events so far, and the expected
//! texts.

use super::*;
use crate::event::{Event, Observer, Outcome};
use crate::plan::sample;
use crate::process::stalls::StallLimits;

/// Checks the texts that keep the process from being ready after these events of `svc`.
#[track_caller]
fn check(policy: &str, happened: &str, ailing: &str) {
    assert_eq!(after(policy, happened).ailing_services().join(", "), ailing, "{happened}");
}

/// Returns the live view of a run in which these things have happened to `svc`.
#[track_caller]
fn after(policy: &str, happened: &str) -> Live {
    let hook = sample::hooks(&format!("service svc {policy}"))[0];
    let recorder = Recorder::new(1);
    let live =
        Live::new(recorder.clone(), Checks::default(), StallTracker::new(StallLimits::default()));
    let tell = |event: &Event| recorder.on_event(Duration::ZERO, event);
    tell(&Event::HookStarted { hook });
    for what in happened.split_whitespace() {
        let broken = Outcome::Failed { error: "broken".to_owned() };
        let backing_off = |after| ServiceState::BackingOff { after, delay: Duration::from_secs(1) };
        let (state, outcome) = match what {
            "starts" => (ServiceState::Starting, None),
            "runs" => (ServiceState::Running, None),
            "breaks" => (backing_off(broken), None),
            "returns" => (backing_off(Outcome::Succeeded), None),
            "cracks" => (ServiceState::Failing { after: broken }, None),
            "stops" => (ServiceState::Stopping, None),
            "ends" => (ServiceState::Stopped, Some(Outcome::Succeeded)),
            "fails" => (ServiceState::Failed, Some(broken)),
            what => panic!("{what}?"),
        };
        tell(&Event::Service { hook, state });
        if let Some(outcome) = outcome {
            tell(&Event::HookEnded { hook, outcome, took: Duration::ZERO });
        }
    }
    live
}

/// Returns the texts of everything that a run waits for.
fn waits(live: &Live) -> Vec<String> {
    live.waits().iter().map(ToString::to_string).collect()
}

#[test]
fn a_service_that_is_not_up_keeps_the_process_from_being_ready() {
    check("", "starts", "service `svc` is starting");
    check("", "starts runs", "");
    check("", "starts runs breaks", "service `svc` is backing off: it failed: broken");
    check("", "starts runs cracks", "service `svc` is failing: it failed: broken");
    check("", "starts runs returns", "service `svc` is backing off");
    // It was ready before, and has not reported yet that it is again.
    check("", "starts runs breaks starts", "service `svc` is starting: it failed: broken");
    check("", "starts runs breaks starts runs", "");
    check("", "starts runs fails", "service `svc` failed: broken");
}

#[test]
fn one_that_is_done_or_was_told_to_end_does_not() {
    check("", "starts runs ends", "");
    check("", "starts runs stops", "");
}

#[test]
fn one_that_the_process_can_do_without_never_does() {
    for happened in
        ["starts", "starts runs breaks", "starts runs breaks starts", "starts runs fails"]
    {
        check("exit ignore", happened, "");
    }
}

#[test]
fn one_that_the_process_goes_on_without_is_told_of_until_the_stop() {
    let line = "service `svc` failed: broken; going on without it";
    let live = after("exit ignore", "starts runs fails");
    assert_eq!(live.lost_services(), [line]);
    assert!(live.picture().ends_with(&format!(":\n  {line}")), "{}", live.picture());
    live.recorder.on_event(Duration::ZERO, &Event::State(State::Draining));
    assert!(live.picture().ends_with("waiting for nothing"), "{}", live.picture());
    for (policy, happened) in [
        ("exit ignore", "starts runs ends"),
        ("exit ignore", "starts runs breaks"),
        ("", "starts runs fails"),
    ] {
        assert_eq!(
            after(policy, happened).lost_services(),
            Vec::<String>::new(),
            "{policy} {happened}"
        );
    }
}

#[test]
fn a_start_waits_for_a_service_since_it_began_and_says_what_it_does() {
    let hook = sample::hooks("service svc")[0];
    let recorder = Recorder::new(1);
    let began = Instant::now()
        .checked_sub(Duration::from_secs(90))
        .expect("the machine has run for so long");
    let live = Live {
        began,
        ..Live::new(recorder.clone(), Checks::default(), StallTracker::new(StallLimits::default()))
    };
    let tell = |event: &Event| recorder.on_event(Duration::from_secs(75), event);
    recorder.on_event(Duration::ZERO, &Event::HookStarted { hook });
    assert_eq!(waits(&live), ["svc 1 min 30 s"]);
    let after = Outcome::Failed { error: "broken".to_owned() };
    tell(&Event::Service {
        hook,
        state: ServiceState::BackingOff { after, delay: Duration::from_secs(1) },
    });
    assert_eq!(waits(&live), ["svc 1 min 30 s (backing off: it failed: broken)"]);
    tell(&Event::Service { hook, state: ServiceState::Starting });
    assert_eq!(waits(&live), ["svc 1 min 30 s (starting: it failed: broken)"]);
    // A stop waits for it from the moment at which it was told to stop.
    tell(&Event::State(State::Stopping));
    tell(&Event::Service { hook, state: ServiceState::Stopping });
    assert_eq!(waits(&live), ["svc 15 s"]);
}

#[test]
fn what_is_waited_for_is_told_apart_by_its_module() {
    let plan = sample::plan("service store::sync; service cache::sync; start sync").expect("valid");
    let recorder = Recorder::new(3);
    let live =
        Live::new(recorder.clone(), Checks::default(), StallTracker::new(StallLimits::default()));
    for &hook in plan.hooks() {
        recorder.on_event(Duration::ZERO, &Event::HookStarted { hook });
    }
    for &hook in &plan.hooks()[1..] {
        recorder.on_event(Duration::ZERO, &Event::Service { hook, state: ServiceState::Starting });
    }
    let waits = waits(&live).join(", ");
    for name in ["app::sync ", "cache::sync ", "store::sync "] {
        assert!(waits.contains(name), "no {name}in {waits}");
    }
    assert_eq!(
        live.ailing_services(),
        ["service `cache::sync` is starting", "service `store::sync` is starting"]
    );
}
