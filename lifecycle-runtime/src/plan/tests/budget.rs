//! The time of a stop: its worst case, and what each step leaves for others.

use super::*;

#[test]
fn the_worst_case_is_the_heaviest_path_of_timeouts() {
    let text = "start db; stop close of db timeout 5000; stop a needs db timeout 2000; stop b after a timeout 4000 needs db; \
                stop c timeout 8000; stop d after c";
    let plan = plan(text).expect("valid");
    let (path, sum) = plan.worst_case_stop();
    assert_eq!(path.iter().map(|hook| hook.name()).collect::<Vec<_>>(), ["a", "b", "close"]);
    assert_eq!(sum, Duration::from_secs(11));
}

#[test]
fn a_test_of_a_program_holds_its_stop_to_a_time() {
    let plan = plan("drain a timeout 1000; service s timeout 2500; stop flush timeout 4000; stop last").expect("valid");
    plan.assert_stops_within(Duration::from_millis(7_500));
    let failed = std::panic::catch_unwind(|| plan.assert_stops_within(Duration::from_millis(7_499)));
    let text = failed.expect_err("too long").downcast::<String>().expect("a text");
    assert_eq!(*text, "the stop may take 7.5 s, but has 7.5 s: a 1 s + s 2.5 s + flush 4 s");
}

#[test]
fn the_worst_case_of_the_stop_begins_with_the_drain_hooks() {
    let text = "drain a timeout 1000; drain b after a timeout 2000; drain c timeout 2500; stop d timeout 4000";
    let plan = plan(text).expect("valid");
    let (path, sum) = plan.worst_case_stop();
    assert_eq!(path.iter().map(|hook| hook.name()).collect::<Vec<_>>(), ["a", "b", "d"]);
    assert_eq!(sum, Duration::from_secs(7));
}

#[test]
fn the_worst_case_of_the_stop_knows_of_a_signal_just_before_it() {
    let text = "drain a timeout 1000; signal b on SIGHUP timeout 2000; signal c on SIGHUP timeout 3000; check d timeout 9000; \
                stop e timeout 4000";
    let (path, sum) = plan(text).expect("valid").worst_case_stop();
    assert_eq!(path.iter().map(|hook| hook.name()).collect::<Vec<_>>(), ["c", "e"]);
    assert_eq!(sum, Duration::from_secs(7));
    let (path, _) = plan(&text.replace("a timeout 1000", "a timeout 3000")).expect("valid").worst_case_stop();
    assert_eq!(path[0].name(), "a");
}

#[test]
fn each_step_leaves_the_reserves_of_what_waits_for_it() {
    let plan =
        plan("start db; stop close of db timeout 5000; stop flush needs db timeout 2000; stop other").expect("valid");
    let budget = plan.budget(Kind::Shutdown, Duration::from_secs(25));
    let behind = |name: &str| {
        let is_named = |step: &Step| matches!(step, Step::Run(hook) if plan.hooks()[*hook].name() == name);
        budget.behind(plan.graph(Kind::Shutdown).steps().iter().position(is_named).expect("a step"))
    };
    // What comes behind `flush` may be late by the time in which that is given up.
    assert_eq!(budget.whole(), Duration::from_millis(7_100));
    assert_eq!(behind("flush"), Duration::from_secs(5));
    assert_eq!(behind("close"), Duration::ZERO);
    assert_eq!(behind("other"), Duration::ZERO);
}

#[test]
fn reserves_that_do_not_fit_shrink_alike() {
    let plan = plan("stop a timeout 20000; stop b after a timeout 20000").expect("valid");
    let budget = plan.budget(Kind::Shutdown, Duration::from_secs(10));
    assert_eq!(budget.whole(), Duration::from_secs(9));
}

#[test]
fn hooks_without_a_timeout_leave_most_of_the_time_to_the_drain() {
    let text: String = (0..30)
        .map(|n| format!("stop h{n} {};", if n > 0 { format!("after h{}", n - 1) } else { String::new() }))
        .collect();
    let plan = plan(&text).expect("valid");
    let budget = plan.budget(Kind::Shutdown, Duration::from_secs(25));
    assert!(budget.whole() <= Duration::from_secs(5), "{:?}", budget.whole());
    assert!(budget.whole() >= Duration::from_millis(4_900), "{:?}", budget.whole());
}
