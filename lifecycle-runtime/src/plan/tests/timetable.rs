//! Properties of time tables: whatever the plan and the settings, everybody has what they are
//! promised.

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

use super::*;
use crate::hook::Phase;
use crate::plan::Timetable;
use crate::process::config::StopSettings;

/// A plan with drain hooks, services and shutdown hooks, of which some have reserves.
fn plan_text() -> impl Strategy<Value = String> {
    let drains = vec((of(1_u64..20_000), any::<bool>()), 0..3);
    let services = vec((of(1_u64..20_000), of(0_u64..=100), any::<bool>()), 0..3);
    let stops = vec((of(1_u64..20_000), of(0_u64..=100), any::<bool>()), 0..5);
    (drains, services, stops).prop_map(|(drains, services, stops)| {
        let number = |key: &str, number: Option<u64>| {
            number.map(|number| format!(" {key} {number}")).unwrap_or_default()
        };
        // A reserve is a part of the timeout.
        let times = |timeout: Option<u64>, percent: Option<u64>| {
            let reserve = timeout.zip(percent).map(|(timeout, percent)| timeout * percent / 100);
            let reserve = reserve.filter(|reserve| *reserve > 0);
            number("timeout", timeout) + &number("reserve", reserve)
        };
        let mut text = vec!["start db".to_owned()];
        let behind = |is_behind: bool, name: char, at: usize| {
            if is_behind && at > 0 { format!(" after {name}{}", at - 1) } else { String::new() }
        };
        for (at, (timeout, is_behind)) in drains.into_iter().enumerate() {
            let behind = behind(is_behind, 'd', at);
            text.push(format!("drain d{at}{behind}{}", number("timeout", timeout)));
        }
        for (at, (timeout, percent, is_told)) in services.into_iter().enumerate() {
            let told = if is_told { " told drain" } else { "" };
            text.push(format!("service v{at}{told}{}", times(timeout, percent)));
        }
        for (at, (timeout, percent, is_behind)) in stops.into_iter().enumerate() {
            let behind = behind(is_behind, 'h', at);
            text.push(format!("stop h{at}{behind}{}", times(timeout, percent)));
        }
        text.join("; ")
    })
}

fn settings() -> impl Strategy<Value = StopSettings> {
    let millis = |most: u64| (0..most).prop_map(Duration::from_millis);
    let grace = (100_u64..60_000).prop_map(Duration::from_millis);
    let delay = prop_oneof![Just(Duration::ZERO), millis(70_000)];
    (grace, delay, of(millis(70_000)), millis(1_000), any::<bool>()).prop_map(
        |(grace, drain_delay, drain_timeout, quiet_window, serves)| StopSettings {
            grace,
            drain_delay,
            drain_delay_is_set: true,
            drain_timeout,
            quiet_window,
            serves,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn everybody_has_what_they_are_promised(text in plan_text(), settings in settings()) {
        let plan = plan(&text).expect("valid");
        let table = Timetable::new(&plan, settings);
        let StopSettings { grace, drain_timeout, .. } = settings;

        prop_assert!(table.hooks_end() <= grace);
        prop_assert!(table.drain_end() <= table.hooks_end());
        prop_assert!(table.cut() <= table.drain_end());
        for row in table.rows(&plan) {
            prop_assert!(row.from <= row.to && row.to <= grace, "{row:?}");
        }

        if let Some(end) = table.requests_end() {
            let closed = table.close();
            let left = grace.saturating_sub(table.drain_budget().whole() + settings.drain_delay);
            // What hooks keep in any case is more than the rest of very long delays, and a delay has
            // half of what there is for both beside a very long `drain_timeout`.
            let for_both = table.cut().saturating_sub(table.drain_hooks_end());
            let promised = drain_timeout.map_or(left / 2, |timeout| timeout.min(for_both / 2));
            let possible = for_both / 2;
            let had = end.saturating_sub(closed);
            prop_assert!(had >= promised.min(possible), "{had:?} of {promised:?}: {table:?}");
        }

        let is_whole = table.scaled(&plan).is_none();
        prop_assert_eq!(is_whole, table.needed() <= grace);
        for (budget, phase) in
            [(table.drain_budget(), Phase::Drain), (table.shutdown_budget(), Phase::Shutdown)]
        {
            for (step, what) in plan.phase(phase).steps().iter().enumerate() {
                let (Step::Run(at) | Step::Stop(at)) = *what else { continue };
                let hook = plan.hooks()[at];
                let had = budget.kept(step).saturating_sub(budget.margin(step));
                let is_told = hook.stops_with_drain();
                // What is told with the drain has the time of that as well.
                if let (Some(timeout), true, false) = (hook.timeout(), is_whole, is_told) {
                    prop_assert!(had >= timeout, "{}: {had:?} of {timeout:?}", hook.name());
                }
                if let (Some(reserve), None) = (hook.reserve, table.lack()) {
                    prop_assert!(had >= reserve, "{}: {had:?} of {reserve:?}", hook.name());
                }
            }
        }
    }
}
