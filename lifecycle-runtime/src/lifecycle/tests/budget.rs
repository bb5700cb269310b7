//! Tests of random plans, durations, failures and hangs. Whatever hooks do, the stop ends in time,
//! everything that should run does, and no hook takes the time that others keep for themselves.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::scenario::{Scenario, ScenarioRun};
use crate::event::{Event, Limit, Outcome};
use crate::hook::{HookMeta, Kind};
use crate::plan::{Plan, Timetable, last_words, sample};
use crate::process::config::{Config, StopSettings};

/// Returns a strategy for the behaviour of a hook.
fn behaviour() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => Just(String::new()),
        3 => (0_u64..3000).prop_map(|millis| format!("takes {millis}")),
        1 => Just("fails".to_owned()),
        1 => Just("panics".to_owned()),
        2 => Just("hangs".to_owned()),
    ]
}

/// Sketch of a hook of the stop: its needs among the startup hooks, its timeout, its order, its
/// behaviour.
type Sketch = (Vec<Index>, Option<u64>, u8, String);

fn sketch() -> impl Strategy<Value = Sketch> {
    (vec(any::<Index>(), 0..3), proptest::option::of(50_u64..1500), 0_u8..3, behaviour())
}

/// Sketch of a service: its needs among the startup hooks, its `stop_timeout`, its other keys, its
/// behaviour.
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

/// Returns a strategy for the behaviour of a startup hook: most of them have a value, and others
/// keep some of these.
fn start_behaviour() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => behaviour(),
        1 => Just("has a value".to_owned()),
        1 => Just("has a value that others keep".to_owned()),
    ]
}

/// Returns a strategy for a signal hook: its timeout, and its behaviour.
fn signal_hook() -> impl Strategy<Value = Option<(Option<u64>, String)>> {
    proptest::option::of((proptest::option::of(50_u64..1500), behaviour()))
}

/// Server of a program.
#[derive(Clone, Copy, Debug)]
struct Server {
    drain_timeout: Option<u64>,
}

fn server() -> impl Strategy<Value = Option<Server>> {
    let drain_timeout = proptest::option::of(0_u64..2_000);
    proptest::option::of(drain_timeout.prop_map(|drain_timeout| Server { drain_timeout }))
}

/// Returns a strategy for a plan and the behaviours of its hooks, as `Scenario` takes them.
fn scene() -> impl Strategy<Value = (String, String)> {
    let starts = vec((vec(any::<Index>(), 0..3), start_behaviour(), any::<bool>()), 1..6);
    let stops = (vec(sketch(), 0..6), vec(sketch(), 0..5), vec(sketch(), 0..3));
    (starts, stops, vec(service(), 0..4), signal_hook(), 0_u64..=100).prop_map(
        |(starts, (downs, stops, drains), services, signal, percent)| {
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
                // Most starts have to succeed: otherwise there is nothing to stop.
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
            if let Some((time, behaviour)) = signal {
                plan.push(format!("signal reload on SIGHUP{}", timeout(time)));
                does.push(format!("reload {behaviour}"));
            }
            for (kind, sketches) in [("stop", &stops), ("drain", &drains)] {
                for (number, (needed, time, order, behaviour)) in sketches.iter().enumerate() {
                    // A part of the first timeout is reserved.
                    let reserve = time.filter(|_| kind == "stop" && number == 0);
                    let reserve = reserve.map(|millis| millis * percent / 100);
                    let reserve = reserve.filter(|millis| *millis > 0);
                    let reserve =
                        reserve.map(|millis| format!(" reserve {millis}")).unwrap_or_default();
                    let needs = needs(needed, starts.len());
                    let is_early = kind == "stop" && number == 1 && !services.is_empty();
                    let before = if is_early { " before v0" } else { "" };
                    plan.push(format!(
                        "{kind} {kind}{number}{needs}{before} order {order}{}{reserve}",
                        timeout(*time)
                    ));
                    does.push(format!("{kind}{number} {behaviour}"));
                }
            }
            (plan.join("; "), does.join("; "))
        },
    )
}

/// Returns the outcome and the duration of each hook that the run came to.
fn outcomes(ran: &ScenarioRun) -> HashMap<&'static str, (Outcome, Duration)> {
    let ended = ran.events().iter().filter_map(|event| match event {
        Event::HookEnded { hook, outcome, took } => Some((hook.name(), (outcome.clone(), *took))),
        _ => None,
    });
    ended.collect()
}

fn run_to_end(scenario: Scenario) -> ScenarioRun {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.expect("a runtime").block_on(scenario.run())
}

/// Returns the settings of a stop: its grace period, its delay, and its server.
fn settings(grace: Duration, delay: u64, server: Option<Server>) -> StopSettings {
    let drain_timeout = server.and_then(|server| server.drain_timeout).map(Duration::from_millis);
    let drain_delay = Duration::from_millis(delay);
    Config { grace, drain_timeout, drain_delay, ..Config::default() }
        .stop_settings(server.is_some())
}

/// Returns the shortest grace period from 200 ms on, in whole milliseconds, that a plan is within.
fn shortest_grace(plan: &str, delay: u64, server: Option<Server>) -> Duration {
    let plan = sample::plan(plan).expect("valid");
    // Timers go off by the millisecond.
    let mut grace = Duration::from_millis(200);
    loop {
        let needed = Timetable::new(&plan, settings(grace, delay, server)).needed();
        if needed <= grace {
            return grace;
        }
        // The time that the plan needs grows with the grace period, but slower.
        grace = Duration::from_millis(u64::try_from(needed.as_millis()).expect("short") + 1);
    }
}

/// Checks what holds for every run, and, if there is time for every timeout, that each hook had its
/// own.
fn check(
    plan: &str,
    ran: &ScenarioRun,
    limit: Duration,
    is_enough: bool,
) -> Result<(), TestCaseError> {
    let hooks: Vec<&HookMeta> = sample::hooks(plan);
    let outcomes = outcomes(ran);
    let has_started =
        |hook: &HookMeta| matches!(outcomes.get(hook.name()), Some((Outcome::Succeeded, _)));

    prop_assert!(
        ran.report.stop_took <= limit,
        "the stop took {:?} of {limit:?}",
        ran.report.stop_took
    );

    for service in hooks.iter().filter(|hook| hook.kind() == Kind::Service) {
        check_service(service, ran, &outcomes, is_enough)?;
    }
    for hook in hooks.iter().filter(|hook| hook.kind() == Kind::Signal) {
        let ended = outcomes.get(hook.name()).filter(|_| is_enough);
        if let (Some((Outcome::Cancelled { .. }, took)), Some(own)) = (ended, hook.timeout()) {
            prop_assert!(*took >= own, "{} had {:?} of its {:?}", hook.name(), took, own);
        }
    }
    let was_ready = ran.count("ready") == 1;
    for hook in hooks.iter().filter(|hook| matches!(hook.kind(), Kind::Drain | Kind::Shutdown)) {
        let name = hook.name();
        let should_run = hook.needs().chain(hook.of()).all(has_started)
            && (hook.kind() == Kind::Shutdown || was_ready);
        let runs = ran.count(&format!("+{name}"));
        let is_begun = !matches!(outcomes.get(name), Some((Outcome::NotBegun { .. }, _)));
        prop_assert!(is_begun || !is_enough, "{} was not begun", name);
        let should_run = should_run && is_begun;
        prop_assert_eq!(runs, usize::from(should_run), "{} ran {} times", name, runs);
        let Some((outcome, took)) = outcomes.get(name).filter(|_| should_run) else { continue };
        if let (Outcome::TimedOut { limit: Limit::Grace, .. }, Some(own), true) =
            (outcome, hook.timeout(), is_enough)
        {
            prop_assert!(*took >= own, "{} had {:?} of its {:?}", name, took, own);
        }
    }
    Ok(())
}

/// Checks that no hook of the stop has ended later than the time table says. Three things come on
/// top: timers go off by the millisecond, a cancelled hook has a moment to end, and half of the
/// time for the report pays for steps that begin late.
fn check_table(plan: &Plan, ran: &ScenarioRun) -> Result<(), TestCaseError> {
    const MOMENTS: Duration = Duration::from_millis(25);
    let late = last_words(plan.timetable().grace()) / 2 + MOMENTS;
    let Some(&began) = ran.times("ready").first() else { return Ok(()) };
    for row in plan.timetable().rows(plan) {
        let Some(hook) = row.hook else { continue };
        let ended = ran.report.hooks.iter().find(|ended| ended.hook == hook && !ended.is_drop);
        let Some(ended) = ended else { continue };
        let at = ended.ended_at.saturating_sub(began);
        prop_assert!(
            at <= row.to + late,
            "{} ended at {:?}, and has until {:?}",
            hook.name(),
            at,
            row.to
        );
        prop_assert!(row.from <= row.to, "{} has {:?} to {:?}", hook.name(), row.from, row.to);
    }
    Ok(())
}

/// Checks that a service ended once if it began, was told to stop at most once, and that nothing
/// that it uses was torn down before.
fn check_service(
    service: &HookMeta,
    ran: &ScenarioRun,
    outcomes: &HashMap<&'static str, (Outcome, Duration)>,
    is_enough: bool,
) -> Result<(), TestCaseError> {
    let name = service.name();
    let begun = ran.count(&format!("+{name}"));
    prop_assert_eq!(outcomes.contains_key(name), begun == 1, "{} began {} times", name, begun);
    let is_end =
        |event: &&Event| matches!(event, Event::HookEnded { hook, .. } if hook.name() == name);
    prop_assert_eq!(ran.events().iter().filter(is_end).count(), begun, "the ends of {}", name);
    let told = ran.times(&format!("-{name}"));
    prop_assert!(told.len() <= 1, "{} was told at {:?}", name, told);
    let Some(outcome) = outcomes.get(name).map(|(outcome, _)| outcome) else { return Ok(()) };

    let place = |is_it: &dyn Fn(&Event) -> bool| ran.events().iter().position(is_it);
    let end = place(&|event| matches!(event, Event::HookEnded { hook, .. } if hook.name() == name));
    for used in service.needs() {
        let down = place(&|event| {
            matches!(event, Event::HookStarted { hook }
                if hook.of().is_some_and(|of| of == used))
        });
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
        let timed_out = ran.times(&format!("{name} timed out"));
        let had = timed_out[0].saturating_sub(told[0]);
        prop_assert!(had >= own, "{} had {:?} of its {:?}", name, had, own);
    }
    Ok(())
}

/// Returns the signals of a run: the one of its signal hook, if it has one, and the one that stops.
fn signals(plan: &str) -> &'static [&'static str] {
    if plan.contains("signal reload") {
        &["ready -> SIGHUP", "+reload -> stop"]
    } else {
        &["ready"]
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_stop_ends_by_grace_and_every_hook_has_its_timeout((plan, does) in scene()) {
        // More than the timeouts of all these hooks add up to.
        let ran = run_to_end(Scenario::new(&plan, &does).grace(60_000).signals(signals(&plan)));
        check(&plan, &ran, Duration::from_secs(60), true)?;
    }

    #[test]
    fn every_hook_has_its_timeout_in_a_plan_that_is_within_its_grace(
        (plan, does) in scene(),
        delay in 0_u64..500,
        server in server(),
    ) {
        let grace = shortest_grace(&plan, delay, server);
        let planned = sample::plan(&plan).expect("valid");
        let planned = planned.with_settings(settings(grace, delay, server));
        // In Kubernetes the delay differs.
        prop_assert_eq!(planned.timetable().warning(&planned), None);
        let scenario = Scenario::new(&plan, &does)
            .grace(u64::try_from(grace.as_millis()).expect("short"));
        let scenario = scenario.drain_delay(delay).signals(signals(&plan));
        let ran = run_to_end(match server {
            Some(Server { drain_timeout }) => scenario.serves_for_ever(drain_timeout),
            None => scenario,
        });
        check(&plan, &ran, grace, true)?;
        check_table(&planned, &ran)?;
    }

    #[test]
    fn every_hook_of_the_stop_has_ended_when_the_time_table_says(
        (plan, does) in scene(),
        grace in 1_000_u64..6_000,
    ) {
        let config = Config { grace: Duration::from_millis(grace), ..Config::default() };
        let planned = sample::plan(&plan).expect("valid");
        let planned = planned.with_settings(config.stop_settings(false));
        // Such a plan is refused.
        prop_assume!(planned.timetable().lack().is_none());
        let ran = run_to_end(Scenario::new(&plan, &does).grace(grace));
        check_table(&planned, &ran)?;
    }

    #[test]
    fn every_stop_ends_by_a_grace_that_is_too_short(
        (plan, does) in scene(),
        grace in 200_u64..3000,
    ) {
        let ran = run_to_end(Scenario::new(&plan, &does).grace(grace));
        check(&plan, &ran, Duration::from_millis(grace), false)?;
    }
}
