//! Random plans, durations, failures and hangs: whatever hooks do, the stop ends in time,
//! everything that should run does, and nobody takes the time that others keep for themselves.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::scenario::{Scenario, ScenarioRun};
use crate::event::{Event, Limit, Outcome};
use crate::hook::{HookMeta, Kind};
use crate::plan::{Plan, Timetable, sample};
use crate::process::config::Config;

/// What a hook does.
fn behaviour() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => Just(String::new()),
        3 => (0_u64..3000).prop_map(|millis| format!("takes {millis}")),
        1 => Just("fails".to_owned()),
        1 => Just("panics".to_owned()),
        2 => Just("hangs".to_owned()),
    ]
}

/// A hook of the stop: its needs among the startup hooks, its timeout, its order, what it does.
type Sketch = (Vec<Index>, Option<u64>, u8, String);

fn sketch() -> impl Strategy<Value = Sketch> {
    (vec(any::<Index>(), 0..3), proptest::option::of(50_u64..1500), 0_u8..3, behaviour())
}

/// A service: its needs among the startup hooks, its `stop_timeout`, its other keys, what it does.
type ServiceSketch = (Vec<Index>, Option<u64>, &'static str, String);

fn service() -> impl Strategy<Value = ServiceSketch> {
    let keys = prop_oneof![
        Just(""),
        Just(" exit ignore"),
        Just(" restart on_failure backoff 100..5000 most 3/60000"),
        Just(" restart always backoff 50..100 most 2/1000"),
    ];
    let does = prop_oneof![
        4 => Just("runs".to_owned()),
        3 => (0_u64..3000).prop_map(|millis| format!("runs and takes {millis}")),
        1 => Just("runs and fails".to_owned()),
        1 => (0_u64..3000).prop_map(|millis| format!("takes {millis}")),
        2 => Just("hangs".to_owned()),
        1 => Just("fails, panics, runs".to_owned()),
    ];
    (vec(any::<Index>(), 0..3), proptest::option::of(50_u64..1500), keys, does)
}

/// A plan and what its hooks do, as the stage takes them.
fn scene() -> impl Strategy<Value = (String, String)> {
    let starts = vec((vec(any::<Index>(), 0..3), behaviour(), any::<bool>()), 1..6);
    (starts, vec(sketch(), 0..6), vec(sketch(), 0..5), vec(sketch(), 0..3), vec(service(), 0..4))
        .prop_map(|(starts, downs, stops, drains, services)| {
            let (mut plan, mut does) = (Vec::new(), Vec::new());
            let needs = |needs: &[Index], of: usize| {
                let names: HashSet<_> = needs
                    .iter()
                    .filter(|_| of > 0)
                    .map(|need| format!(" s{}", need.index(of)))
                    .collect();
                if names.is_empty() {
                    String::new()
                } else {
                    format!(" needs{}", names.into_iter().collect::<String>())
                }
            };
            let timeout = |timeout: Option<u64>| {
                timeout.map(|millis| format!(" timeout {millis}")).unwrap_or_default()
            };
            for (number, (needed, behaviour, may_fail)) in starts.iter().enumerate() {
                plan.push(format!("start s{number}{}", needs(needed, number)));
                // Most starts shall succeed, or there is nothing to stop.
                let is_bad = ["fails", "panics", "hangs"].contains(&behaviour.as_str());
                does.push(if is_bad && !(*may_fail && number > 2) {
                    String::new()
                } else {
                    format!("s{number} {behaviour}")
                });
            }
            for (number, (_, time, _, behaviour)) in downs.iter().enumerate().take(starts.len()) {
                plan.push(format!("stop t{number} of s{number}{}", timeout(*time)));
                does.push(format!("t{number} {behaviour}"));
            }
            for (number, (needed, time, keys, behaviour)) in services.iter().enumerate() {
                let after =
                    if number % 2 == 1 { format!(" after v{}", number - 1) } else { String::new() };
                let needs = needs(needed, starts.len());
                plan.push(format!("service v{number}{needs}{after}{keys}{}", timeout(*time)));
                does.push(format!("v{number} {behaviour}"));
            }
            for (kind, sketches) in [("stop", &stops), ("drain", &drains)] {
                for (number, (needed, time, order, behaviour)) in sketches.iter().enumerate() {
                    let needs = needs(needed, starts.len());
                    let is_early = kind == "stop" && number == 1 && !services.is_empty();
                    let before = if is_early { " before v0" } else { "" };
                    plan.push(format!(
                        "{kind} {kind}{number}{needs}{before} order {order}{}",
                        timeout(*time)
                    ));
                    does.push(format!("{kind}{number} {behaviour}"));
                }
            }
            (plan.join("; "), does.join("; "))
        })
}

/// How a hook ended; `None` if the run never came to it.
fn outcomes(played: &ScenarioRun) -> HashMap<&'static str, (Outcome, Duration)> {
    let ended = played.events().iter().filter_map(|event| match event {
        Event::HookEnded { hook, outcome, took } => Some((hook.name(), (outcome.clone(), *took))),
        _ => None,
    });
    ended.collect()
}

fn play(play: Scenario) -> ScenarioRun {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.expect("a runtime").block_on(play.run())
}

/// Returns the shortest grace period from 200 ms on, in whole milliseconds, that a plan is within.
fn shortest_grace(plan: &str, delay: u64) -> Duration {
    let plan = sample::plan(plan).expect("valid");
    // Timers go off by the millisecond.
    let mut grace = Duration::from_millis(200);
    loop {
        let config =
            Config { grace, drain_delay: Duration::from_millis(delay), ..Config::default() };
        let needed = Timetable::new(&plan, config.stop_settings(false)).needed();
        if needed <= grace {
            return grace;
        }
        // What it needs grows with the grace period, and slower.
        grace = Duration::from_millis(u64::try_from(needed.as_millis()).expect("short") + 1);
    }
}

/// Checks what always holds, and if there is time for every timeout, that each hook had its own.
fn check(
    plan: &str,
    played: &ScenarioRun,
    limit: Duration,
    is_enough: bool,
) -> Result<(), TestCaseError> {
    let hooks: Vec<&HookMeta> = sample::hooks(plan);
    let outcomes = outcomes(played);
    let has_started =
        |hook: &HookMeta| matches!(outcomes.get(hook.name()), Some((Outcome::Succeeded, _)));

    prop_assert!(
        played.report.stop_took <= limit,
        "the stop took {:?} of {limit:?}",
        played.report.stop_took
    );

    for service in hooks.iter().filter(|hook| hook.kind() == Kind::Service) {
        check_service(service, played, &outcomes, is_enough)?;
    }
    let was_ready = played.count("ready") == 1;
    for hook in hooks.iter().filter(|hook| matches!(hook.kind(), Kind::Drain | Kind::Shutdown)) {
        let name = hook.name();
        let should_run = hook.needs().chain(hook.of()).all(has_started)
            && (hook.kind() == Kind::Shutdown || was_ready);
        let ran = played.count(&format!("+{name}"));
        prop_assert_eq!(ran, usize::from(should_run), "{} ran {} times", name, ran);
        let Some((outcome, took)) = outcomes.get(name).filter(|_| should_run) else { continue };
        if let (Outcome::TimedOut { limit: Limit::Grace, .. }, Some(own), true) =
            (outcome, hook.timeout(), is_enough)
        {
            prop_assert!(*took >= own, "{} had {:?} of its {:?}", name, took, own);
        }
    }
    Ok(())
}

/// No hook of the stop has ended later than the time table says. Timers go off by the millisecond,
/// and what is cancelled has a moment to hear of it.
fn check_table(plan: &Plan, played: &ScenarioRun) -> Result<(), TestCaseError> {
    const MOMENTS: Duration = Duration::from_millis(25);
    let Some(&began) = played.times("ready").first() else { return Ok(()) };
    for row in plan.timetable().rows(plan) {
        let Some(hook) = row.hook else { continue };
        let ended = played.report.hooks.iter().find(|ended| ended.hook == hook && !ended.is_drop);
        let Some(ended) = ended else { continue };
        let at = ended.ended_at.saturating_sub(began);
        prop_assert!(
            at <= row.to + MOMENTS,
            "{} ended at {:?}, and has until {:?}",
            hook.name(),
            at,
            row.to
        );
        prop_assert!(row.from <= row.to, "{} has {:?} to {:?}", hook.name(), row.from, row.to);
    }
    Ok(())
}

/// It ended once if it began, was told at most once, and nothing that it uses was torn down before.
fn check_service(
    service: &HookMeta,
    played: &ScenarioRun,
    outcomes: &HashMap<&'static str, (Outcome, Duration)>,
    is_enough: bool,
) -> Result<(), TestCaseError> {
    let name = service.name();
    let begun = played.count(&format!("+{name}"));
    prop_assert_eq!(outcomes.contains_key(name), begun == 1, "{} began {} times", name, begun);
    let is_end =
        |event: &&Event| matches!(event, Event::HookEnded { hook, .. } if hook.name() == name);
    prop_assert_eq!(played.events().iter().filter(is_end).count(), begun, "the ends of {}", name);
    let told = played.times(&format!("-{name}"));
    prop_assert!(told.len() <= 1, "{} was told at {:?}", name, told);
    let Some(outcome) = outcomes.get(name).map(|(outcome, _)| outcome) else { return Ok(()) };

    let place = |is_it: &dyn Fn(&Event) -> bool| played.events().iter().position(is_it);
    let end = place(&|event| matches!(event, Event::HookEnded { hook, .. } if hook.name() == name));
    for used in service.needs() {
        let down = place(
            &|event| matches!(event, Event::HookStarted { hook } if hook.of().is_some_and(|of| of == used)),
        );
        prop_assert!(
            down.is_none() || end < down,
            "{} was torn down before {} had ended",
            used.name(),
            name
        );
    }
    if let (Outcome::TimedOut { limit: Limit::Grace, .. }, Some(own), true) =
        (outcome, service.timeout(), is_enough)
    {
        let timed_out = played.times(&format!("{name} timed out"));
        let had = timed_out[0].saturating_sub(told[0]);
        prop_assert!(had >= own, "{} had {:?} of its {:?}", name, had, own);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_stop_ends_by_grace_and_every_hook_has_its_timeout((plan, does) in scene()) {
        // More than the timeouts of all these hooks add up to.
        let played = play(Scenario::new(&plan, &does).grace(60_000));
        check(&plan, &played, Duration::from_secs(60), true)?;
    }

    #[test]
    fn every_hook_has_its_timeout_in_a_plan_that_is_within_its_grace((plan, does) in scene(), delay in 0_u64..500) {
        let grace = shortest_grace(&plan, delay);
        let settings = Config { grace, drain_delay: Duration::from_millis(delay), ..Config::default() }.stop_settings(false);
        let planned = sample::plan(&plan).expect("valid").with_settings(settings);
        planned.assert_stops_within(grace);
        let played = play(Scenario::new(&plan, &does).grace(u64::try_from(grace.as_millis()).expect("short")).drain_delay(delay));
        check(&plan, &played, grace, true)?;
        check_table(&planned, &played)?;
    }

    #[test]
    fn every_hook_of_the_stop_has_ended_when_the_time_table_says((plan, does) in scene(), grace in 1_000_u64..6_000) {
        let settings = Config { grace: Duration::from_millis(grace), ..Config::default() }.stop_settings(false);
        let planned = sample::plan(&plan).expect("valid").with_settings(settings);
        let played = play(Scenario::new(&plan, &does).grace(grace));
        check_table(&planned, &played)?;
    }

    #[test]
    fn every_stop_ends_by_a_grace_that_is_too_short((plan, does) in scene(), grace in 200_u64..3000) {
        let played = play(Scenario::new(&plan, &does).grace(grace));
        check(&plan, &played, Duration::from_millis(grace), false)?;
    }
}
