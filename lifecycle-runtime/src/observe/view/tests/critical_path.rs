//! Tests of critical paths, as data: a plan, the times of its steps, and the expected path.

use super::millis;
use crate::hook::Phase;
use crate::observe::view::critical_path::{StepTime, critical_path};
use crate::plan::{Step, sample};

/// Checks the path at 1 s of the startup hooks of a plan. `times` are `NAME BEGAN..ENDED` in
/// milliseconds, without an end for a hook that runs.
#[track_caller]
fn check(plan: &str, times: &str, expected: &str) {
    let plan = sample::plan(plan).expect("valid");
    let time_of = |step: Step| {
        let Step::Run(hook) = step else { return None };
        let name = plan.hooks()[hook].name();
        let time = times.split(", ").find_map(|time| time.strip_prefix(name)?.strip_prefix(' '))?;
        let (began, ended) = time.split_once("..").expect("a range");
        let moment = |text: &str| millis(text.parse().expect("a number"));
        Some(StepTime { began: moment(began), ended: (!ended.is_empty()).then(|| moment(ended)) })
    };
    let shown = |(step, took): (Step, std::time::Duration)| match step {
        Step::Run(hook) => format!("{} {}", plan.hooks()[hook].name(), took.as_millis()),
        step => panic!("{step:?} is no hook"),
    };
    let path = critical_path(plan.phase(Phase::Startup), millis(1_000), time_of);
    let path: Vec<_> = path.into_iter().map(shown).collect();
    assert_eq!(path.join(" → "), expected, "{times}");
}

const DIAMOND: &str =
    "start db; start cache needs db; start mail needs db; start app needs cache mail";

#[test]
fn it_leads_through_what_each_step_waited_for_longest() {
    check(
        DIAMOND,
        "db 0..100, cache 100..300, mail 100..200, app 300..350",
        "db 100 → cache 200 → app 50",
    );
    check(
        DIAMOND,
        "db 0..100, cache 100..200, mail 100..300, app 300..350",
        "db 100 → mail 200 → app 50",
    );
}

#[test]
fn it_leads_to_the_step_that_has_been_running_the_longest() {
    check(DIAMOND, "db 0..100, cache 100.., mail 150..", "db 100 → cache 900");
    check(DIAMOND, "db 0..100, cache 120.., mail 110..", "db 100 → mail 890");
    check(DIAMOND, "db 0..100, cache 100..900, mail 110..", "db 100 → mail 890");
}

#[test]
fn it_leads_to_the_last_end_if_nothing_runs() {
    check(DIAMOND, "db 0..100, cache 100..200, mail 100..150", "db 100 → cache 100");
    check(DIAMOND, "", "");
}

#[test]
fn a_step_between_that_took_no_time_is_left_out() {
    check(DIAMOND, "db 0..100, cache 100..100, mail 100..100, app 100..200", "db 100 → app 100");
}

#[test]
fn an_order_as_a_whole_is_passed_through() {
    let orders = "start db order 0; start log order 0; start app order 1";
    check(orders, "db 0..300, log 0..100, app 300..400", "db 300 → app 100");
}
