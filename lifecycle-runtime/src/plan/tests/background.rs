//! Services, health checks and signal hooks, which run beside the requests.

use super::*;
use crate::hook::Phase;

#[test]
fn services_start_with_the_startup_hooks_and_end_in_reverse() {
    check(
        "service s needs db; start db; start cache after s",
        "db, s, cache | drop cache, stop s, drop db",
    );
    check("service a after b; service b after c; service c", "c, b, a | stop a, stop b, stop c");
    check("start db; service s needs db; stop close of db", "db, s | stop s, close, drop db");
    check("start db; service s needs db; service t needs db", "db, s, t | stop s, stop t, drop db");
}

#[test]
fn a_service_knows_no_order() {
    check(
        "start a order 1; service s; start b order 2 after s; service t after b",
        "a, s, b, t | stop t, drop a, drop b, stop s",
    );
}

#[test]
fn shutdown_hooks_come_behind_the_services_and_before_those_that_they_name() {
    check("service s; service t; stop h; stop g order 1", "s, t | stop s, stop t, h, g");
    check("service s; stop h before s", "s | h, stop s");
    check(
        "service pusher; service worker; stop flush before pusher; stop last",
        "pusher, worker | stop worker, flush, stop pusher, last",
    );
    // A hook that precedes a service indirectly counts, too.
    check("service s; stop h before s; stop g before h; stop f", "s | g, h, stop s, f");
    check("service s; stop h order 1 before s; stop g", "s | g, h, stop s");
    check("service s; service t after s; stop h before t", "s, t | h, stop t, stop s");
    check(
        "service s; start client after s; stop h needs client",
        "s, client | h, drop client, stop s",
    );
}

#[test]
fn hooks_that_precede_a_service_each_do_not_wait_for_each_other() {
    check(
        "service s; service t; stop h before s; stop g before t; stop f",
        "s, t | g, h, stop t, stop s, f",
    );
}

#[test]
fn a_shutdown_hook_comes_after_a_service_by_its_end() {
    check("service s; stop h after s", "s | stop s, h");
    check("start db; service s; stop close of db", "db, s | stop s, close, drop db");
    let plan = plan("start db; service s; stop close of db after s").expect("valid");
    assert!(
        plan.render(PlanFormat::Text).contains("close   app.rs:3  teardown of db  after stop s"),
        "{plan}"
    );
}

#[test]
fn services_and_hooks_that_wait_for_each_other_are_named() {
    check_error(
        "service s; stop h after s; stop g after h before s",
        &["these hooks wait for each other: g → stop s → h → g; take one of the dependencies \
             away: `g` (app.rs:3), `h` \
           (app.rs:2), `s` (app.rs:1)"],
    );
    check_error(
        "start low order 1 after s; service s after high; start high order 2",
        &["these hooks wait for each other: high → s → low → the lower orders → high; take \
           one of the dependencies away: `high` (app.rs:3), `low` (app.rs:1), `s` (app.rs:2)"],
    );
}

#[test]
fn a_plan_tells_of_its_services() {
    let plan = plan(
        "start db; service s needs db restart on_failure backoff 50..900 most 3/60000 timeout \
         4000; \
         service t after s exit ignore; stop flush; stop close of db",
    );
    let plan = plan.expect("valid");
    let shown = "\
start
  db  app.rs:1
  s   app.rs:2  service  restart on_failure  backoff 50ms..900ms  max_restarts 3 in 1m  after db
  t   app.rs:3  service  restart never  on_exit ignore  after s
ready
  nothing
drain
  nothing
stop
  stop t  app.rs:3
  stop s  app.rs:2  timeout 4s  after stop t
  close   app.rs:5  teardown of db  after stop s
  flush   app.rs:4  after the services
time table of the stop, from the signal, at worst
  17.9 s to 18.9 s      stop t, no timeout, at least 909 ms
  18.9 s to 23 s        stop s, timeout 4 s
  23 s to 24 s          close, no timeout, at least 1 s
  23 s to 24 s          flush, no timeout, at least 1 s
  24 s to 25 s          report
";
    assert_eq!(plan.render(PlanFormat::Text), shown);
    let json: serde_json::Value =
        serde_json::from_str(&plan.render(PlanFormat::Json)).expect("JSON");
    let service = serde_json::json!({
        "restart": "on_failure",
        "backoff_ms": [50, 900],
        "max_restarts": 3,
        "within_ms": 60_000,
        "stops_the_process": true,
        "stop_on": "shutdown",
    });
    assert_eq!(
        (&json["hooks"][1]["service"], &json["hooks"][1]["timeout_ms"]),
        (&service, &4_000.into())
    );
    assert_eq!(json["hooks"][2]["service"]["stops_the_process"], false);
    let step = &json["stop"][1];
    assert_eq!((&step["step"], &step["after"]), (&"stop s".into(), &["stop t"][..].into()));
    assert_eq!((&step["hook"], &step["does"]), (&"app::s".into(), &"stop".into()));
    assert_eq!(json["stop"][3]["behind"], serde_json::json!(["services"]));
    assert!(
        plan.render(PlanFormat::Mermaid).contains("stop0[\"stop s\"]"),
        "{}",
        plan.render(PlanFormat::Mermaid)
    );
    assert!(plan.render(PlanFormat::Dot).contains("[label=\"the services\", shape=diamond]"));
}

#[test]
fn the_time_of_a_service_is_on_the_path_of_the_stop() {
    let text = "start db; service a timeout 2000 needs db; service b after a timeout 3000; stop \
                close of db timeout 5000; \
                stop flush timeout 4000; service c timeout 1000";
    let plan = plan(text).expect("valid");
    let (path, sum) = plan.worst_case_stop();
    assert_eq!(path.iter().map(|hook| hook.name()).collect::<Vec<_>>(), ["b", "a", "close"]);
    assert_eq!(sum, Duration::from_millis(11_200));
    let timetable = plan.timetable();
    let budget = timetable.shutdown_budget();
    let stop_of = |name: &str| {
        let is_it =
            |step: &Step| matches!(step, Step::Stop(hook) if plan.hooks()[*hook].name() == name);
        budget.behind(plan.phase(Phase::Shutdown).steps().iter().position(is_it).expect("a step"))
    };
    assert_eq!(
        [stop_of("b"), stop_of("a"), stop_of("c")],
        [7_100, 5_000, 4_000].map(Duration::from_millis)
    );
}

#[test]
fn recurring_hooks_are_no_step_of_any_phase() {
    check(
        "start db; check b needs db; check a; signal d on SIGHUP after c; signal c on SIGHUP needs \
         db; stop close of db",
        "db | check a, b | signal c, d | close, drop db",
    );
}

#[test]
fn a_hook_of_a_signal_stands_behind_those_of_the_same_signal_only() {
    check("signal a on SIGHUP after b; signal b on SIGHUP", " | signal b, a | ");
    check_error(
        "signal a on SIGHUP after b; signal b on SIGUSR2",
        &["`a` (SIGHUP) can't run after `b` (SIGUSR2): `after` names hooks of the same signal, \
             `#[on_startup]` hooks \
             and services (`a` at app.rs:1, `b` at app.rs:2)"],
    );
}

#[test]
fn a_plan_tells_when_its_recurring_hooks_run() {
    let text = "check ping kind liveness every 1500 failures 2 timeout 200; signal reload on \
                SIGHUP; signal log on SIGHUP after reload";
    let plan = plan(text).expect("valid");
    let shown = "\
start
  nothing
check
  ping  app.rs:1  liveness every 1s500ms  failures 2  timeout 200ms
ready
  nothing
signal
  reload  app.rs:2  on SIGHUP
  log     app.rs:3  on SIGHUP  after reload
drain
  nothing
stop
  nothing
time table of the stop, from the signal, at worst
  0 s to 24 s           log, if it runs already
  0 s to 24 s           reload, if it runs already
  24 s to 25 s          report
";
    assert_eq!(plan.render(PlanFormat::Text), shown);
    let json: serde_json::Value =
        serde_json::from_str(&plan.render(PlanFormat::Json)).expect("JSON");
    assert_eq!(
        json["hooks"][0]["check"],
        serde_json::json!({"kind": "liveness", "interval_ms": 1500, "failures": 2})
    );
    assert_eq!(json["hooks"][1]["signal"], "SIGHUP");
    assert_eq!(json["signal"][1]["step"], "log");
    assert_eq!(json["signal"][1]["after"], serde_json::json!(["reload"]));
    for (format, text) in
        [(PlanFormat::Mermaid, "subgraph signal\n"), (PlanFormat::Dot, "cluster_check {")]
    {
        assert!(plan.render(format).contains(text), "{}", plan.render(format));
    }
}
