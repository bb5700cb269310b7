//! Properties of time tables: for any plan and settings, everybody has the time that they are
//! promised.

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

use super::*;
use crate::hook::Phase;
use crate::plan::Timetable;
use crate::process::config::StopSettings;

/// Generates a plan with drain hooks, services and shutdown hooks, of which some have reserves.
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

/// Tolerance, as shares of the grace period are rounded.
const ROUNDING: Duration = Duration::from_micros(1);

/// Checks the time of requests. They have all of `drain_timeout` once the listeners close. Without
/// a `drain_timeout` they have half of the grace period in all, and half of what is left once the
/// listeners close. They have less only if hooks could not keep their minimum beside that: a tenth
/// of the grace period for drain hooks, and as much for shutdown hooks, or their reserves and a
/// twentieth. A drain delay has at most half of the time for both.
fn check_requests(
    table: &Timetable,
    settings: StopSettings,
    end: Duration,
) -> Result<(), TestCaseError> {
    let StopSettings { grace, drain_delay, drain_timeout, .. } = settings;
    let dropping = Duration::from_millis(200).min(grace / 20);
    let reserved = table.shutdown_budget().reserved() + grace / 20;
    let latest = table.hooks_end().saturating_sub(dropping + reserved.max(grace / 10));
    let had = end.saturating_sub(table.close()) + ROUNDING;
    if let Some(timeout) = drain_timeout {
        let for_both = latest.saturating_sub(grace / 10);
        let promised = timeout.min(for_both.saturating_sub(drain_delay.min(for_both / 2)));
        prop_assert!(had >= promised, "{had:?} of {promised:?}: {table:?}");
        return Ok(());
    }
    let least = latest.min(grace / 2);
    let had_in_all = table.requests_have().expect("a server").min(end) + ROUNDING;
    prop_assert!(had_in_all >= least, "{had_in_all:?} of {least:?}: {table:?}");
    let before_close = table.drain_budget().whole() + drain_delay;
    let half_of_rest = grace.saturating_sub(before_close) / 2;
    let promised = half_of_rest.min(latest.saturating_sub(before_close));
    prop_assert!(had >= promised, "{had:?} of {promised:?}: {table:?}");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn everybody_has_what_they_are_promised(text in plan_text(), settings in settings()) {
        let plan = plan(&text).expect("valid");
        let table = Timetable::new(&plan, settings);
        let StopSettings { grace, .. } = settings;

        prop_assert!(table.hooks_end() <= grace);
        prop_assert!(table.drain_end() <= table.hooks_end());
        prop_assert!(table.cut() <= table.drain_end());
        for row in table.rows(&plan) {
            prop_assert!(row.from <= row.to && row.to <= grace, "{row:?}");
        }

        if let (Some(end), None) = (table.requests_end(), table.lack()) {
            check_requests(&table, settings, end)?;
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
                // A service that is told to stop with the drain has the time of the drain as well.
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
