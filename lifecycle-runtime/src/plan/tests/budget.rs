//! Time of a stop: its worst case, its time table, and the time that each step leaves for others.

use super::*;
use crate::hook::Phase;
use crate::plan::{Budget, Timetable};
use crate::process::config::{Config, StopSettings};

/// Returns settings with this grace period and `drain_timeout`, in milliseconds.
fn settings(grace: u64, drain_timeout: Option<u64>, serves: bool) -> StopSettings {
    let config = Config {
        grace: Duration::from_millis(grace),
        drain_timeout: drain_timeout.map(Duration::from_millis),
        ..Config::default()
    };
    config.stop_settings(serves)
}

/// Returns the time that the steps behind a hook of the stop keep.
fn behind(plan: &Plan, budget: &Budget, name: &str) -> Duration {
    let is_named =
        |step: &Step| matches!(step, Step::Run(hook) if plan.hooks()[*hook].name() == name);
    budget.behind(plan.phase(Phase::Shutdown).steps().iter().position(is_named).expect("a step"))
}

#[test]
fn the_worst_case_is_the_heaviest_path_of_timeouts_and_what_is_lost_between_them() {
    let text = "start db; stop close of db timeout 5000; stop a needs db timeout 2000; stop b \
                after a timeout 4000 needs db; \
                stop c timeout 8000; stop d after c";
    let plan = plan(text).expect("valid");
    let (path, sum) = plan.worst_case_stop();
    assert_eq!(path.iter().map(|hook| hook.name()).collect::<Vec<_>>(), ["a", "b", "close"]);
    // `a` and `b` may each need 0.1 s to be abandoned in, and the report has 1 s.
    assert_eq!(sum, Duration::from_millis(12_200));
}

#[test]
fn a_test_of_a_program_holds_its_stop_to_a_time() {
    let plan =
        plan("drain a timeout 1000; service s timeout 2500; stop flush timeout 4000; stop last")
            .expect("valid");
    plan.assert_stops_within(Duration::from_millis(8_106));
    let failed =
        std::panic::catch_unwind(|| plan.assert_stops_within(Duration::from_millis(8_105)));
    let text = failed.expect_err("too long").downcast::<String>().expect("a text");
    assert!(
        text.starts_with("the stop may take 8.1 s, longer than the grace period of 8.1 s: "),
        "{text}"
    );
}

#[test]
fn the_worst_case_of_the_stop_begins_with_the_drain_hooks() {
    let text = "drain a timeout 1000; drain b after a timeout 2000; drain c timeout 2500; stop d \
                timeout 4000";
    let plan = plan(text).expect("valid");
    let (path, sum) = plan.worst_case_stop();
    assert_eq!(path.iter().map(|hook| hook.name()).collect::<Vec<_>>(), ["a", "b", "d"]);
    assert_eq!(sum, Duration::from_millis(8_200));
}

#[test]
fn the_worst_case_of_the_stop_knows_of_a_signal_just_before_it() {
    let text = "drain a timeout 1000; signal b on SIGHUP timeout 2000; signal c on SIGHUP timeout \
                3000; check d timeout 9000; \
                stop e timeout 4000";
    let (path, sum) = plan(text).expect("valid").worst_case_stop();
    assert_eq!(path.iter().map(|hook| hook.name()).collect::<Vec<_>>(), ["c", "e"]);
    // `c` may need 0.1 s to be abandoned in.
    assert_eq!(sum, Duration::from_millis(8_100));
    let (path, _) =
        plan(&text.replace("a timeout 1000", "a timeout 3000")).expect("valid").worst_case_stop();
    assert_eq!(path[0].name(), "a");
}

#[test]
fn the_worst_case_counts_the_delay_and_the_requests() {
    let plan = plan("drain a timeout 1000; stop b timeout 2000").expect("valid");
    let needed = |grace, timeout, delay: u64, quiet: u64| {
        let settings = StopSettings {
            drain_delay: Duration::from_millis(delay),
            quiet_window: Duration::from_millis(quiet),
            ..settings(grace, timeout, true)
        };
        Timetable::new(&plan, settings).needed().as_millis()
    };
    // 0.1 s to abandon `a` in, 0.2 s in which what is cut off is dropped, and 1 s for the report.
    assert_eq!(needed(20_000, Some(3_000), 0, 250), 1_100 + 3_000 + 200 + 2_000 + 1_000);
    assert_eq!(
        needed(20_000, Some(3_000), 5_000, 250),
        1_100 + 5_000 + 3_000 + 200 + 2_000 + 1_000
    );
    assert_eq!(needed(20_000, Some(0), 0, 250), 1_100 + 250 + 200 + 2_000 + 1_000);
    // Requests have half of what `a` leaves.
    assert_eq!(needed(20_000, None, 0, 250), 1_100 + 9_450 + 200 + 2_000 + 1_000);
}

#[test]
fn each_step_leaves_the_reserves_of_what_waits_for_it() {
    let plan = plan(
        "start db; stop close of db timeout 5000; stop flush needs db timeout 2000; stop other",
    )
    .expect("valid");
    let timetable = plan.timetable();
    let budget = timetable.shutdown_budget();
    // Steps behind `flush` may be late by the time in which `flush` is abandoned.
    assert_eq!(budget.whole(), Duration::from_millis(7_100));
    assert_eq!(behind(&plan, budget, "flush"), Duration::from_secs(5));
    assert_eq!(behind(&plan, budget, "close"), Duration::ZERO);
    assert_eq!(behind(&plan, budget, "other"), Duration::ZERO);
}

#[test]
fn requests_have_half_of_the_grace_period_whatever_the_timeouts_are() {
    let plan = plan("start db; stop flush timeout 10000 needs db; stop close of db timeout 10000")
        .expect("valid");
    let timetable = Timetable::new(&plan, settings(25_000, None, true));
    assert_eq!(timetable.requests_have(), Some(Duration::from_millis(12_500)));
    assert!(timetable.drain_end() >= Duration::from_millis(12_500), "{:?}", timetable.drain_end());
    let scaled = timetable.scaled(&plan).expect("too long");
    assert_eq!(
        scaled.iter().map(|limit| limit.hook.name()).collect::<Vec<_>>(),
        ["flush", "close"]
    );
    let warning = timetable.warning(&plan).expect("too long");
    assert_eq!(
        warning,
        "the stop may take 33.8 s, longer than the grace period of 25 s: requests have 12.5 s of \
         25 s; after a full \
         drain `flush` has 5.6 s of its 10 s, `close` has 5.6 s of its 10 s"
    );
    // Without a server the hooks have nearly all.
    assert_eq!(
        Timetable::new(&plan, settings(25_000, None, false))
            .scaled(&plan)
            .map(|limits| limits.len()),
        None
    );
}

#[test]
fn requests_have_all_of_the_drain_timeout_and_hooks_a_tenth() {
    let plan = plan("stop flush timeout 6500").expect("valid");
    let timetable = Timetable::new(&plan, settings(6_500, Some(3_000), true));
    assert_eq!(timetable.requests_have(), Some(Duration::from_secs(3)));
    assert!(timetable.drain_end() >= Duration::from_secs(3), "{:?}", timetable.drain_end());
    let timetable = Timetable::new(&plan, settings(10_000, Some(20_000), true));
    assert_eq!(timetable.shutdown_budget().whole(), Duration::from_secs(1));
    assert_eq!(timetable.requests_have(), Some(Duration::from_millis(8_300)));
}

#[test]
fn drain_hooks_leave_requests_all_of_the_drain_timeout() {
    let had = |text: &str, grace: u64, timeout: u64| {
        let table = Timetable::new(&plan_of(text), settings(grace, Some(timeout), true));
        table.requests_end().expect("a server").saturating_sub(table.close())
    };
    assert_eq!(had("drain a timeout 12000", 25_000, 12_000), Duration::from_secs(12));
    assert_eq!(
        had("drain a timeout 12000; stop b timeout 9000", 25_000, 12_000),
        Duration::from_secs(12)
    );
    let text = "drain a timeout 12000; stop b timeout 9000 reserve 9000";
    assert_eq!(had(text, 30_000, 12_000), Duration::from_secs(12));
    // A drain that has to be short leaves time to a service that is told with it.
    let text = "drain a timeout 12000; service b told drain timeout 4000; stop c; stop d after c; \
                stop e after d timeout 20000 reserve 8000";
    assert_eq!(had(text, 12_000, 3), Duration::from_millis(3));
    // Drain hooks and shutdown hooks keep a tenth each.
    let plan = plan_of("drain a timeout 12000; stop b timeout 9000");
    let table = Timetable::new(&plan, settings(20_000, Some(30_000), true));
    assert_eq!(table.drain_budget().whole(), Duration::from_secs(2));
    assert_eq!(table.shutdown_budget().whole(), Duration::from_secs(2));
    let warning = table.warning(&plan).expect("too long");
    assert!(
        warning.contains("`a` has 1.9 s of its 12 s; after a full drain `b` has 2 s of its 9 s"),
        "{warning}"
    );
}

#[test]
fn a_reserve_is_kept_whole_and_others_shrink_alike() {
    let text = "stop a timeout 4000 reserve 4000; stop b after a timeout 20000; stop c after b \
                timeout 10000";
    let plan = plan(text).expect("valid");
    let timetable = Timetable::new(&plan, settings(20_000, None, true));
    let has: Vec<_> =
        timetable.scaled(&plan).expect("too long").iter().map(|limit| limit.hook.name()).collect();
    assert_eq!(has, ["b", "c"]);
    assert_eq!(timetable.lack(), None);

    let plan =
        plan_of("stop a timeout 9000 reserve 6000; stop b after a timeout 9000 reserve 6000");
    let lack = Timetable::new(&plan, settings(20_000, None, true)).lack().expect("too much");
    assert!(lack.starts_with("the reserves of shutdown hooks and services need 12.1 s"), "{lack}");
    assert_eq!(Timetable::new(&plan, settings(20_000, Some(5_000), true)).lack(), None);
}

fn plan_of(text: &str) -> Plan {
    plan(text).expect("valid")
}

#[test]
fn drain_hooks_leave_requests_their_time() {
    let plan = plan_of("drain a timeout 60000; stop b timeout 60000");
    let timetable = Timetable::new(&plan, settings(20_000, None, true));
    let (closed, end) = (timetable.drain_hooks_end(), timetable.drain_end());
    assert!(closed <= Duration::from_secs(10), "{closed:?}");
    assert!(end.saturating_sub(closed) >= Duration::from_millis(4_900), "{closed:?} to {end:?}");
}

#[test]
fn hooks_without_a_timeout_leave_most_of_the_time_to_the_drain() {
    let text: String = (0..30)
        .map(|n| {
            format!(
                "stop h{n} {};",
                if n > 0 { format!("after h{}", n - 1) } else { String::new() }
            )
        })
        .collect();
    let plan = plan(&text).expect("valid");
    let whole = plan.timetable().shutdown_budget().whole();
    assert!(whole <= Duration::from_secs(5), "{whole:?}");
    assert!(whole >= Duration::from_millis(4_900), "{whole:?}");
}

#[test]
fn the_text_of_a_plan_ends_with_the_time_table_of_the_stop() {
    let text = "start db; drain a timeout 1000; stop flush needs db timeout 4000; stop close of db \
                timeout 2000; stop last order 1";
    let config = Config { drain_delay: Duration::from_secs(2), ..Config::default() };
    let plan = plan_of(text).with_settings(config.stop_settings(true));
    let rendered = plan.render(PlanFormat::Text);
    let table = rendered.split_once("time table").expect("a table").1;
    assert_eq!(
        table,
        " of the stop, from the signal, at worst\n\
         \x20 0 s to 1.1 s          a, timeout 1 s\n\
         \x20 1.1 s to 3.1 s        drain delay\n\
         \x20 0 s to 3.1 s          new connections\n\
         \x20 0 s to 17.7 s         requests\n\
         \x20 17.9 s to 22 s        flush, timeout 4 s\n\
         \x20 22 s to 24 s          close, timeout 2 s\n\
         \x20 22 s to 24 s          last, no timeout, at least 2 s\n\
         \x20 24 s to 25 s          report\n"
    );
    assert!(!plan.render(PlanFormat::Snapshot).contains("time table"));
}

#[test]
fn requests_have_what_the_line_of_the_stop_says() {
    let end = |text: &str, drain_timeout| {
        Timetable::new(&plan_of(text), settings(25_000, drain_timeout, true))
            .requests_end()
            .map(|end| end.as_millis())
    };
    // Nothing keeps the listeners open.
    assert_eq!(end("stop a timeout 4000", Some(3_000)), Some(3_000));
    assert_eq!(end("stop a timeout 4000", None), Some(25_000 - 1_000 - 4_000 - 200));
    assert_eq!(end("drain b timeout 2000; stop a timeout 4000", Some(3_000)), Some(2_100 + 3_000));
    // A drain hook without a timeout may keep them open, but leaves requests their time.
    assert_eq!(end("drain b; stop a timeout 4000", Some(20_000)), Some(1_000 + 20_000));
    let untimed = Timetable::new(
        &plan_of("drain b; stop a timeout 1000"),
        settings(25_000, Some(10_000), true),
    );
    assert_eq!(untimed.drain_hooks_end(), untimed.cut().saturating_sub(Duration::from_secs(10)));
}

#[test]
fn reserves_that_do_not_fit_come_with_advice_that_helps() {
    let plan = plan_of("stop a reserve 9000");
    let lack = |drain_timeout, serves| {
        let table = Timetable::new(&plan, settings(10_000, drain_timeout, serves));
        table.lack().expect("too long")
    };
    assert_eq!(
        lack(None, true),
        "the reserves of shutdown hooks and services need 9 s with their margins, and the grace \
         period of 10 s leaves 4.3 s beside 5.2 s for requests (half of the rest), 500 ms for the \
         report; raise `grace`, set a `drain_timeout`, or shorten a `reserve`"
    );
    let timed = lack(Some(5_000), true);
    assert!(timed.ends_with("or shorten a `reserve` or `drain_timeout`"), "{timed}");
    let plan = plan_of("drain d timeout 1000; stop a reserve 90000");
    let drain_delay = Duration::from_secs(2);
    let alone = StopSettings { drain_delay, ..settings(10_000, Some(5_000), false) };
    let alone = Timetable::new(&plan, alone).lack().expect("too long");
    assert!(
        alone.ends_with(
            "leaves 6.4 s beside 1.1 s for the drain hooks, 2 s for `drain_delay`, 500 ms for the \
             report; raise `grace`, or shorten a `reserve`, the timeouts of drain hooks or \
             `drain_delay`"
        ),
        "{alone}"
    );
}

#[test]
fn a_delay_that_is_too_long_is_named() {
    let drain_delay = Duration::from_secs(60);
    let plan = plan_of("stop a");
    let settings = StopSettings { drain_delay, ..settings(25_000, None, false) };
    let warning = Timetable::new(&plan, settings).warning(&plan).expect("too long");
    assert!(warning.ends_with("the grace period of 25 s: `drain_delay` has 23 s"), "{warning}");
}

#[test]
fn the_drain_delay_leaves_requests_their_time() {
    let plan = plan_of("stop a timeout 4000");
    let timetable = |delay: u64, drain_timeout| {
        let drain_delay = Duration::from_millis(delay);
        Timetable::new(&plan, StopSettings { drain_delay, ..settings(25_000, drain_timeout, true) })
    };
    for delay in [0, 5_000, 20_000, 30_000] {
        let table = timetable(delay, Some(10_000));
        let row = table.rows(&plan).into_iter().find(|row| row.what == "drain delay");
        let closed = row.map_or(Duration::ZERO, |row| row.to);
        let longest = table.cut().saturating_sub(Duration::from_secs(10));
        assert_eq!(closed, Duration::from_millis(delay).min(longest));
        let end = table.requests_end().expect("a server");
        assert_eq!(end.saturating_sub(closed), Duration::from_secs(10), "{delay}");
    }
}

#[test]
fn every_hook_keeps_a_least_share_however_much_has_to_be_scaled() {
    let plan = plan_of("service s; stop a timeout 60000; stop b after a timeout 60000");
    let timetable = Timetable::new(&plan, settings(4_000, None, true));
    let budget = timetable.shutdown_budget();
    let steps = plan.phase(Phase::Shutdown).steps();
    let stop = steps.iter().position(|step| matches!(step, Step::Stop(_))).expect("a service");
    // A twentieth of the grace period, shared by three in a row.
    assert!(budget.kept(stop) >= Duration::from_millis(66), "{:?}", budget.kept(stop));
    let plan = plan_of("stop a timeout 500; stop b; stop c after b; stop d after c");
    let settings =
        StopSettings { drain_delay: Duration::from_secs(60), ..settings(1_000, None, true) };
    let scaled = Timetable::new(&plan, settings).scaled(&plan).expect("too long");
    assert!(scaled[0].has >= Duration::from_millis(16), "{:?}", scaled[0].has);
    assert!(budget.whole() <= Duration::from_millis(2_000), "{:?}", budget.whole());
}

#[test]
fn a_service_that_is_told_with_the_drain_has_the_time_of_requests_already() {
    let plan = plan_of("service s told drain timeout 5000; stop a timeout 2000");
    assert_eq!(
        Timetable::new(&plan, settings(12_000, None, true))
            .scaled(&plan)
            .map(|limits| limits.len()),
        None
    );
    // Without requests the stop waits for the service.
    let needed = Timetable::new(&plan, settings(12_000, None, false)).needed();
    assert_eq!(needed, Duration::from_millis(5_100 + 2_000 + 600));
}

#[test]
fn nothing_may_need_a_service_that_is_told_to_stop_with_the_drain() {
    check_error(
        "service a told drain; service b after a",
        &["`a` (app.rs:1) is told to stop when the drain begins, but `b` (app.rs:2) needs it for \
             longer; take `stop_on = \
           \"drain\"` away, or the dependency"],
    );
    assert!(plan("service a told drain; stop b before a").is_err());
    assert!(plan("service a told drain; drain b after a").is_err());
    assert!(plan("service a told drain; stop b after a").is_ok());
    assert!(plan("start db; service a told drain needs db; stop b of db after a").is_ok());
    assert!(plan("service a told drain; ready b after a").is_ok());
    assert!(plan("start db; service a told drain needs db; stop b").is_ok());
}
