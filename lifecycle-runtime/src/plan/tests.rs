//! Plans as data: what is declared, and what must come of it.

mod model;

use std::time::Duration;

use super::sample::{hooks, plan};
use super::{Budget, Graph, Plan, Step, label};
use crate::config::PlanFormat;
use crate::hook::Kind;

/// The order that each phase has if every step ends at once: `db, cache | close_db, drop db`, with the phases between the
/// start and the stop, if there is anything in them, by name: `db | ready announce | drain withdraw | drop db`.
fn sequence(plan: &Plan) -> String {
    let line = |graph: &Graph| {
        let steps = graph.sequence().map(|step| graph.steps()[step]);
        let labels = steps.filter(|step| !matches!(step, Step::Barrier(_))).map(|step| label(plan.hooks(), step));
        labels.collect::<Vec<_>>().join(", ")
    };
    let phase = |kind| match (kind, line(plan.graph(kind))) {
        (Kind::Startup | Kind::Shutdown, line) => Some(line),
        (_, line) => (!line.is_empty()).then(|| format!("{} {line}", kind.phase())),
    };
    Kind::ALL.into_iter().filter_map(phase).collect::<Vec<_>>().join(" | ")
}

#[track_caller]
fn check(text: &str, expected: &str) {
    match plan(text) {
        Ok(plan) => assert_eq!(sequence(&plan), expected, "{text}"),
        Err(error) => panic!("{text}: {error}"),
    }
}

#[track_caller]
fn check_error(text: &str, expected: &[&str]) {
    match plan(text) {
        Ok(plan) => panic!("{text}: planned as {}", sequence(&plan)),
        Err(error) => assert_eq!(error.problems(), expected, "{text}"),
    }
}

/// What is said of an expected path, behind the path itself.
#[track_caller]
fn check_expected(path: &str, expected: &str) {
    let plan = plan("start db; start cache needs db; stop flush").expect("valid");
    match plan.has(&[path.to_owned()]) {
        Ok(()) => assert_eq!("", expected),
        Err(error) => {
            assert_eq!(error.to_string(), format!("no hook has the path `{path}`, which is expected; {expected}"));
        }
    }
}

#[test]
fn an_expected_hook_that_is_missing_is_named_with_what_to_do() {
    let link = "a crate that no code names is not linked: write `use store as _;`";
    check_expected("app::db", "");
    check_expected("app::flush", "");
    check_expected("app::cahce", "did you mean `app::cache`?");
    check_expected("app::mail::db", "did you mean `app::db`?");
    check_expected("app::mailer", "other hooks of that crate are there: is this one compiled?");
    check_expected("store::mailer", link);
    check_expected("store::flush", &format!("did you mean `app::flush`? If not: {link}"));
}

#[test]
fn a_hook_starts_behind_what_it_needs() {
    check("start a needs b; start b", "b, a | drop a, drop b");
    check("start a after b; start b", "b, a | drop a, drop b");
    check("start a needs b; start b needs c; start c", "c, b, a | drop a, drop b, drop c");
}

#[test]
fn ties_are_broken_by_order_then_path() {
    check("start c; start a; start b", "a, b, c | drop a, drop b, drop c");
    check("start c order 1; start a order 2; start b order 1", "b, c, a | drop b, drop c, drop a");
}

#[test]
fn link_order_means_nothing() {
    let text = "start d needs a; start c order 2; start a; start b; stop y of a; stop x order 1; stop z needs b";
    let mut hooks = hooks(text);
    let expected = sequence(&Plan::new(hooks.clone()).expect("valid"));
    for _ in 0..hooks.len() {
        hooks.rotate_left(1);
        assert_eq!(sequence(&Plan::new(hooks.clone()).expect("valid")), expected);
    }
    hooks.reverse();
    assert_eq!(sequence(&Plan::new(hooks).expect("valid")), expected);
}

#[test]
fn hooks_that_only_others_name_are_planned_too() {
    let text = "start a needs b; start b needs c; start c; stop x of a after y; stop y before z; stop z";
    let all = hooks(text);
    let named_by_x = Plan::new([all[3]]).expect("valid");
    assert_eq!(sequence(&named_by_x), sequence(&Plan::new(all).expect("valid")));
}

#[test]
fn a_hook_registered_twice_is_one_hook() {
    let once = hooks("start a");
    assert_eq!(Plan::new([once[0], once[0]]).expect("valid").hooks().len(), 1);
}

#[test]
fn a_lower_order_is_done_before_a_higher_one_starts() {
    check("start a order 2; start b order 1; start c", "c, b, a | drop c, drop b, drop a");
    check("stop a order 2; stop b order 1; stop c", " | c, b, a");
}

#[test]
fn a_teardown_runs_behind_everything_that_uses_its_resource() {
    check("start db; stop close of db", "db | close, drop db");
    check("start db; stop close of db needs db; stop flush needs db", "db | flush, close, drop db");
    check("start db; stop close of db; stop flush after db", "db | flush, close, drop db");
    check(
        "start db; start cache needs db; stop close of db; stop clear of cache",
        "db, cache | clear, drop cache, close, drop db",
    );
}

#[test]
fn use_reaches_through_hooks_without_teardown() {
    check(
        "start db; start migrations needs db; start cache after migrations; stop close of db; stop clear of cache",
        "db, migrations, cache | clear, drop cache, drop migrations, close, drop db",
    );
}

#[test]
fn a_value_without_a_teardown_is_dropped_where_it_would_have_run() {
    check("start db; stop flush needs db", "db | flush, drop db");
}

#[test]
fn a_teardown_stands_outside_the_orders_unless_it_has_one() {
    check("start db; stop close of db; stop last order 9; stop first order 1", "db | close, first, drop db, last");
    check("start db; stop close of db order 5; stop last order 9", "db | close, drop db, last");
}

#[test]
fn a_teardown_that_uses_another_resource_runs_before_its_teardown() {
    check(
        "start log; start db; stop close_db of db needs db log; stop close_log of log",
        "db, log | close_db, drop db, close_log, drop log",
    );
}

#[test]
fn before_and_after_order_shutdown_hooks() {
    check("stop a after b; stop b", " | b, a");
    check("stop a; stop b before a", " | b, a");
    check("stop a before b; stop b after a", " | a, b");
}

#[test]
fn hooks_that_wait_for_each_other_are_named_with_their_places() {
    check_error(
        "stop a before b; stop b before a",
        &[
            "these hooks wait for each other: a → b → a; take one of the dependencies away: `a` (app.rs:1), `b` (app.rs:2)",
        ],
    );
    check_error(
        "stop a before b; stop b before c; stop c before a; stop x before y; stop y before x",
        &[
            "these hooks wait for each other: a → b → c → a; take one of the dependencies away: `a` (app.rs:1), \
             `b` (app.rs:2), `c` (app.rs:3)",
            "these hooks wait for each other: x → y → x; take one of the dependencies away: `x` (app.rs:4), `y` (app.rs:5)",
        ],
    );
    check_error(
        "start db; start log needs db; stop close_db of db needs log; stop close_log of log",
        &["these hooks wait for each other: close_db → close_log → drop log → close_db; take one of the dependencies \
           away: `close_db` (app.rs:3), `close_log` (app.rs:4), `log` (app.rs:2)"],
    );
}

#[test]
fn a_teardown_with_an_order_below_a_user_of_its_resource_is_refused() {
    check_error(
        "start db; stop close of db order 1; stop flush order 2 needs db",
        &[
            "these hooks wait for each other: close → the lower orders → flush → close; take one of the dependencies away: \
           `close` (app.rs:2), `flush` (app.rs:3)",
        ],
    );
}

#[test]
fn before_can_not_contradict_order() {
    check_error(
        "stop a order 2 before b; stop b order 1",
        &[
            "`a` (app.rs:1) (order 2) is to run before `b` (app.rs:2) (order 1), but a lower order runs first; change one \
           of the orders or take `before` away",
        ],
    );
}

#[test]
fn before_names_shutdown_hooks_and_services() {
    assert!(plan("stop a before b; service b").is_ok());
    check_error(
        "start db; stop a before db",
        &[
            "`a` (app.rs:2) can't run before `db` (app.rs:1), an `#[on_startup]` hook, which runs earlier; to run before the \
             teardown of `db`, take it as an argument: `Dep<db>`",
        ],
    );
    check_error(
        "drain d; stop a before d",
        &[
            "`a` (app.rs:2) can't run before `d` (app.rs:1), an `#[on_drain]` hook, which runs earlier; take `before` away",
        ],
    );
}

#[test]
fn each_kind_is_a_phase_of_its_own() {
    check("stop d; drain c; ready b; start a", "a | ready b | drain c | d, drop a");
    check("ready b order 2; ready a after b order 3; ready c", " | ready c, b, a | ");
    check("drain b order 1; drain a order 2; ready c order 9; stop d order 0", " | ready c | drain b, a | d");
}

#[test]
fn what_hooks_between_the_start_and_the_stop_use_ends_behind_them() {
    check(
        "start db; stop close of db; ready announce needs db; drain withdraw after db",
        "db | ready announce | drain withdraw | close, drop db",
    );
}

#[test]
fn hooks_need_their_own_kind_startup_hooks_and_services_only() {
    let pairs = [
        ("start", "ready"),
        ("ready", "drain"),
        ("drain", "ready"),
        ("stop", "drain"),
        ("ready", "stop"),
        ("service", "ready"),
        ("check", "signal"),
        ("signal", "check"),
        ("start", "check"),
        // Each keeps its own time.
        ("check", "check"),
    ];
    for (one, other) in pairs {
        let under = |phase| match Kind::ALL.into_iter().find(|kind| kind.phase() == phase).expect("a kind") {
            kind @ (Kind::Service | Kind::HealthCheck) => format!("a `#[{kind}]`"),
            kind => format!("an `#[{kind}]`"),
        };
        check_error(
            &format!("{one} a after b; {other} b"),
            &[&format!(
                "`a` (app.rs:1), {} hook, can't need `b` (app.rs:2), {} hook; take the dependency away",
                under(one),
                under(other)
            )],
        );
    }
    for kind in Kind::ALL {
        for needed in ["start", "service"] {
            let text = format!("{} a after b; {needed} b", kind.phase());
            assert!(plan(&text).is_ok(), "{text}");
        }
    }
}

#[test]
fn services_start_with_the_startup_hooks_and_end_in_reverse() {
    check("service s needs db; start db; start cache after s", "db, s, cache | drop cache, stop s, drop db");
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
    // However indirectly.
    check("service s; stop h before s; stop g before h; stop f", "s | g, h, stop s, f");
    check("service s; stop h order 1 before s; stop g", "s | g, h, stop s");
    check("service s; service t after s; stop h before t", "s, t | h, stop t, stop s");
    check("service s; start client after s; stop h needs client", "s, client | h, drop client, stop s");
}

#[test]
fn hooks_that_precede_a_service_each_do_not_wait_for_each_other() {
    check("service s; service t; stop h before s; stop g before t; stop f", "s, t | g, h, stop t, stop s, f");
}

#[test]
fn a_shutdown_hook_comes_after_a_service_by_its_end() {
    check("service s; stop h after s", "s | stop s, h");
    check("start db; service s; stop close of db", "db, s | stop s, close, drop db");
    let plan = plan("start db; service s; stop close of db after s").expect("valid");
    assert!(plan.render(PlanFormat::Text).contains("close   app.rs:3  teardown of db  after stop s"), "{plan}");
}

#[test]
fn services_and_hooks_that_wait_for_each_other_are_named() {
    check_error(
        "service s; stop h after s; stop g after h before s",
        &[
            "these hooks wait for each other: g → stop s → h → g; take one of the dependencies away: `g` (app.rs:3), `h` \
           (app.rs:2), `s` (app.rs:1)",
        ],
    );
    check_error(
        "start low order 1 after s; service s after high; start high order 2",
        &[
            "these hooks wait for each other: high → s → low → the lower orders → high; take one of the dependencies away: \
           `high` (app.rs:3), `low` (app.rs:1), `s` (app.rs:2)",
        ],
    );
}

#[test]
fn a_plan_tells_of_its_services() {
    let plan = plan(
        "start db; service s needs db restart on_failure backoff 50..900 most 3/60000 timeout 4000; \
         service t after s exit ignore; stop flush; stop close of db",
    );
    let plan = plan.expect("valid");
    let shown = "\
start
  db  app.rs:1
  s   app.rs:2  service  restart on_failure  after db
  t   app.rs:3  service  restart never  after s
ready
  nothing
drain
  nothing
stop
  stop t  app.rs:3
  stop s  app.rs:2  timeout 4s  after stop t
  close   app.rs:5  teardown of db  after stop s
  flush   app.rs:4  after the services
";
    assert_eq!(plan.render(PlanFormat::Text), shown);
    let json: serde_json::Value = serde_json::from_str(&plan.render(PlanFormat::Json)).expect("JSON");
    let service = serde_json::json!({
        "restart": "on_failure",
        "backoff_ms": [50, 900],
        "max_restarts": 3,
        "within_ms": 60_000,
        "stops_the_process": true,
    });
    assert_eq!((&json["hooks"][1]["service"], &json["hooks"][1]["timeout_ms"]), (&service, &4_000.into()));
    assert_eq!(json["hooks"][2]["service"]["stops_the_process"], false);
    assert_eq!(json["stop"][1], serde_json::json!({"step": "stop s", "after": ["stop t"]}));
    assert!(plan.render(PlanFormat::Mermaid).contains("stop0[\"stop s\"]"), "{}", plan.render(PlanFormat::Mermaid));
    assert!(plan.render(PlanFormat::Dot).contains("[label=\"the services\", shape=diamond]"));
}

#[test]
fn the_time_of_a_service_is_on_the_path_of_the_stop() {
    let text = "start db; service a timeout 2000 needs db; service b after a timeout 3000; stop close of db timeout 5000; \
                stop flush timeout 4000; service c timeout 1000";
    let plan = plan(text).expect("valid");
    let (path, sum) = plan.worst_case_stop();
    assert_eq!(path.iter().map(|hook| hook.name()).collect::<Vec<_>>(), ["b", "a", "close"]);
    assert_eq!(sum, Duration::from_secs(10));
    let budget = Budget::new(plan.hooks(), plan.graph(Kind::Shutdown), Duration::from_secs(25));
    let stop_of = |name: &str| {
        let is_it = |step: &Step| matches!(step, Step::Stop(hook) if plan.hooks()[*hook].name() == name);
        budget.behind(plan.graph(Kind::Shutdown).steps().iter().position(is_it).expect("a step"))
    };
    assert_eq!([stop_of("b"), stop_of("a"), stop_of("c")], [7, 5, 4].map(Duration::from_secs));
}

#[test]
fn recurring_hooks_are_no_step_of_any_phase() {
    check(
        "start db; check b needs db; check a; signal d on SIGHUP after c; signal c on SIGHUP needs db; stop close of db",
        "db | check a, b | signal c, d | close, drop db",
    );
}

#[test]
fn a_hook_of_a_signal_stands_behind_those_of_the_same_signal_only() {
    check("signal a on SIGHUP after b; signal b on SIGHUP", " | signal b, a | ");
    check_error(
        "signal a on SIGHUP after b; signal b on SIGUSR2",
        &[
            "`a` (app.rs:1), which is for SIGHUP, can't run after `b` (app.rs:2), which is for SIGUSR2; take the dependency \
             away",
        ],
    );
}

#[test]
fn a_plan_tells_when_its_recurring_hooks_run() {
    let text = "check ping kind liveness every 1500 failures 2 timeout 200; signal reload on SIGHUP; signal log on SIGHUP after reload";
    let plan = plan(text).expect("valid");
    let shown = "\
start
  nothing
check
  ping  app.rs:1  liveness every 1s 500ms  failures 2  timeout 200ms
ready
  nothing
signal
  reload  app.rs:2  on SIGHUP
  log     app.rs:3  on SIGHUP  after reload
drain
  nothing
stop
  nothing
";
    assert_eq!(plan.render(PlanFormat::Text), shown);
    let json: serde_json::Value = serde_json::from_str(&plan.render(PlanFormat::Json)).expect("JSON");
    assert_eq!(json["hooks"][0]["check"], serde_json::json!({"kind": "liveness", "interval_ms": 1500, "failures": 2}));
    assert_eq!(json["hooks"][1]["signal"], "SIGHUP");
    assert_eq!(json["signal"][1], serde_json::json!({"step": "log", "after": ["reload"]}));
    for (format, text) in [(PlanFormat::Mermaid, "subgraph signal\n"), (PlanFormat::Dot, "cluster_check {")] {
        assert!(plan.render(format).contains(text), "{}", plan.render(format));
    }
}

#[test]
fn all_problems_are_reported_at_once() {
    let error = plan("start db; stop a of db; stop b of db; stop c before db; stop d order 3 before e; stop e")
        .expect_err("three problems");
    assert_eq!(error.problems().len(), 3, "{error}");
    assert!(error.problems()[0].starts_with("`db` (app.rs:1) has two teardowns: `a` (app.rs:2) and `b` (app.rs:3);"));
}

#[test]
fn one_path_is_one_hook() {
    let (one, other) = (hooks("start a")[0], hooks("start x; start a")[1]);
    let error = Plan::new([one, other]).expect_err("two hooks of one path");
    assert_eq!(error.problems(), ["two hooks have the path `app::a`: app.rs:1 and app.rs:2; rename one of them"]);
}

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
    let budget = Budget::new(plan.hooks(), plan.graph(Kind::Shutdown), Duration::from_secs(25));
    let behind = |name: &str| {
        let is_named = |step: &Step| matches!(step, Step::Run(hook) if plan.hooks()[*hook].name() == name);
        budget.behind(plan.graph(Kind::Shutdown).steps().iter().position(is_named).expect("a step"))
    };
    assert_eq!(budget.whole(), Duration::from_secs(7));
    assert_eq!(behind("flush"), Duration::from_secs(5));
    assert_eq!(behind("close"), Duration::ZERO);
    assert_eq!(behind("other"), Duration::ZERO);
}

#[test]
fn reserves_that_do_not_fit_shrink_alike() {
    let plan = plan("stop a timeout 20000; stop b after a timeout 20000").expect("valid");
    let budget = Budget::new(plan.hooks(), plan.graph(Kind::Shutdown), Duration::from_secs(10));
    assert_eq!(budget.whole(), Duration::from_secs(9));
}

#[test]
fn hooks_without_a_timeout_leave_most_of_the_time_to_the_drain() {
    let text: String = (0..30)
        .map(|n| format!("stop h{n} {};", if n > 0 { format!("after h{}", n - 1) } else { String::new() }))
        .collect();
    let plan = plan(&text).expect("valid");
    let budget = Budget::new(plan.hooks(), plan.graph(Kind::Shutdown), Duration::from_secs(25));
    assert!(budget.whole() <= Duration::from_secs(5), "{:?}", budget.whole());
    assert!(budget.whole() >= Duration::from_millis(4_900), "{:?}", budget.whole());
}

#[test]
fn the_plan_is_readable_in_every_format() {
    let plan = plan(
        "start db timeout 10000; start cache needs db; stop close of db timeout 5000; stop flush order 2 needs db; \
         ready announce needs cache; drain farewell order 1 after withdraw; drain withdraw needs db",
    )
    .expect("valid");
    assert_eq!(
        plan.render(PlanFormat::Text),
        "start\n\
        \x20 db     app.rs:1  timeout 10s\n\
        \x20 cache  app.rs:2  after db\n\
        ready\n\
        \x20 announce  app.rs:5\n\
        drain\n\
        \x20 withdraw  app.rs:7\n\
        \x20 farewell  app.rs:6  order 1  after the lower orders, withdraw\n\
        stop\n\
        \x20 flush  app.rs:4  order 2\n\
        \x20 close  app.rs:3  timeout 5s  teardown of db  after flush\n"
    );
    let mermaid = plan.render(PlanFormat::Mermaid);
    assert!(mermaid.contains("start1[\"db\"]") || mermaid.contains("start0[\"cache\"]"), "{mermaid}");
    assert!(mermaid.contains("subgraph ready\n    ready0[\"announce\"]\n  end"), "{mermaid}");
    let dot = plan.render(PlanFormat::Dot);
    assert!(dot.starts_with("digraph lifecycle {") && dot.contains("subgraph cluster_drain {"), "{dot}");
    let json: serde_json::Value = serde_json::from_str(&plan.render(PlanFormat::Json)).expect("JSON");
    assert_eq!(json["hooks"][5]["of"], "app::db");
    assert_eq!(json["hooks"][2]["kind"], "on_ready");
    assert_eq!(json["ready"], serde_json::json!([{ "step": "announce", "after": [] }]));
    assert_eq!(json["drain"][1], serde_json::json!({ "step": "farewell", "after": ["the lower orders", "withdraw"] }));
    assert_eq!(json["stop"][1], serde_json::json!({ "step": "close", "after": ["flush"] }));
}
