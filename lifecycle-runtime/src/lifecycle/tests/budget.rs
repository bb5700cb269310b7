//! Random plans, durations, failures and hangs: whatever hooks do, the stop ends in time, everything that should run does,
//! and nobody takes the time that others keep for themselves.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::stage::{Play, Played};
use crate::event::{Event, Limit, Outcome};
use crate::hook::{HookMeta, Kind};
use crate::plan::sample;

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

/// A plan and what its hooks do, as the stage takes them.
fn scene() -> impl Strategy<Value = (String, String)> {
    let starts = vec((vec(any::<Index>(), 0..3), behaviour(), any::<bool>()), 1..6);
    (starts, vec(sketch(), 0..6), vec(sketch(), 0..5), vec(sketch(), 0..3)).prop_map(
        |(starts, downs, stops, drains)| {
            let (mut plan, mut does) = (Vec::new(), Vec::new());
            let needs = |needs: &[Index], of: usize| {
                let names: HashSet<_> =
                    needs.iter().filter(|_| of > 0).map(|need| format!(" s{}", need.index(of))).collect();
                if names.is_empty() {
                    String::new()
                } else {
                    format!(" needs{}", names.into_iter().collect::<String>())
                }
            };
            let timeout = |timeout: Option<u64>| timeout.map(|millis| format!(" timeout {millis}")).unwrap_or_default();
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
            for (kind, sketches) in [("stop", &stops), ("drain", &drains)] {
                for (number, (needed, time, order, behaviour)) in sketches.iter().enumerate() {
                    let needs = needs(needed, starts.len());
                    plan.push(format!("{kind} {kind}{number}{needs} order {order}{}", timeout(*time)));
                    does.push(format!("{kind}{number} {behaviour}"));
                }
            }
            (plan.join("; "), does.join("; "))
        },
    )
}

/// How a hook ended; `None` if the run never came to it.
fn outcomes(played: &Played) -> HashMap<&'static str, (Outcome, Duration)> {
    let ended = played.events().iter().filter_map(|event| match event {
        Event::HookEnded { hook, outcome, took } => Some((hook.name(), (outcome.clone(), *took))),
        _ => None,
    });
    ended.collect()
}

fn play(plan: &str, does: &str, grace: u64) -> Played {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.expect("a runtime").block_on(Play::new(plan, does).grace(grace).run())
}

/// Plays it and checks what always holds, and if there is time for every reserve, that each hook had its own.
fn check(plan: &str, does: &str, grace: u64, is_enough: bool) -> Result<(), TestCaseError> {
    let hooks: Vec<&HookMeta> = sample::hooks(plan);
    let played = play(plan, does, grace);
    let outcomes = outcomes(&played);
    let has_started = |hook: &HookMeta| matches!(outcomes.get(hook.name()), Some((Outcome::Succeeded, _)));

    let limit = Duration::from_millis(grace);
    prop_assert!(played.report.stop_took <= limit, "the stop took {:?} of {limit:?}", played.report.stop_took);

    let was_ready = played.count("ready") == 1;
    for hook in hooks.iter().filter(|hook| matches!(hook.kind(), Kind::Drain | Kind::Shutdown)) {
        let name = hook.name();
        let should_run = hook.needs().chain(hook.of()).all(has_started) && (hook.kind() == Kind::Shutdown || was_ready);
        let ran = played.count(&format!("+{name}"));
        prop_assert_eq!(ran, usize::from(should_run), "{} ran {} times", name, ran);
        let Some((outcome, took)) = outcomes.get(name).filter(|_| should_run) else { continue };
        if let (Outcome::TimedOut { limit: Limit::Grace, .. }, Some(own), true) = (outcome, hook.timeout(), is_enough) {
            prop_assert!(*took >= own, "{} had {:?} of its {:?}", name, took, own);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_stop_ends_by_grace_and_every_hook_has_its_reserve((plan, does) in scene()) {
        // More than the timeouts of all these hooks add up to.
        check(&plan, &does, 60_000, true)?;
    }

    #[test]
    fn every_stop_ends_by_a_grace_that_is_too_short((plan, does) in scene(), grace in 200_u64..3000) {
        check(&plan, &does, grace, false)?;
    }
}
