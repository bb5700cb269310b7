//! Plans as data: declarations, and the plans or problems that must come of them.

mod background;
mod budget;
mod model;
mod names;
mod snapshot;
mod timetable;

use std::time::Duration;

use super::sample::{hooks, plan, word_of};
use super::{Graph, Plan, Step, label};
use crate::hook::Kind;
use crate::process::config::PlanFormat;

/// Returns a plan as a snapshot.
fn snapshot(text: &str) -> String {
    plan(text).expect("valid").render(PlanFormat::Snapshot)
}

/// Returns the order that each phase has if every step ends at once:
/// `db, cache | close_db, drop db`. The phases between the start and the stop have their names, if
/// there is anything in them: `db | ready announce | drain withdraw | drop db`.
fn sequence(plan: &Plan) -> String {
    let line = |graph: &Graph| {
        let steps = graph.sequence().map(|step| graph.steps()[step]);
        let labels = steps
            .filter(|step| !matches!(step, Step::Barrier(_)))
            .map(|step| label(plan.hooks(), step));
        labels.collect::<Vec<_>>().join(", ")
    };
    let phase = |(title, graph)| match (title, line(graph)) {
        ("start" | "stop", line) => Some(line),
        (_, line) => (!line.is_empty()).then(|| format!("{title} {line}")),
    };
    plan.graphs().into_iter().filter_map(phase).collect::<Vec<_>>().join(" | ")
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

/// Checks the message about an expected path, behind the path itself.
#[track_caller]
fn check_expected(path: &str, expected: &str) {
    let plan = plan("start db; start cache needs db; stop flush").expect("valid");
    match plan.has(&[path.to_owned()]) {
        Ok(()) => assert_eq!("", expected),
        Err(error) => {
            assert_eq!(
                error.to_string(),
                format!("no hook has the path `{path}`, which is expected; {expected}")
            );
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
    let text = "start d needs a; start c order 2; start a; start b; stop y of a; stop x order 1; \
                stop z needs b";
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
    let text =
        "start a needs b; start b needs c; start c; stop x of a after y; stop y before z; stop z";
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
        "start db; start migrations needs db; start cache after migrations; stop close of db; stop \
         clear of cache",
        "db, migrations, cache | clear, drop cache, drop migrations, close, drop db",
    );
}

#[test]
fn a_value_without_a_teardown_is_dropped_where_it_would_have_run() {
    check("start db; stop flush needs db", "db | flush, drop db");
}

#[test]
fn a_teardown_stands_outside_the_orders_unless_it_has_one() {
    check(
        "start db; stop close of db; stop last order 9; stop first order 1",
        "db | close, first, drop db, last",
    );
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
        &["these hooks wait for each other: a → b → a; take one of the dependencies away: \
           `a` (app.rs:1), `b` (app.rs:2)"],
    );
    check_error(
        "stop a before b; stop b before c; stop c before a; stop x before y; stop y before x",
        &[
            "these hooks wait for each other: a → b → c → a; take one of the dependencies \
             away: `a` (app.rs:1), `b` (app.rs:2), `c` (app.rs:3)",
            "these hooks wait for each other: x → y → x; take one of the dependencies away: \
             `x` (app.rs:4), `y` (app.rs:5)",
        ],
    );
    check_error(
        "start db; start log needs db; stop close_db of db needs log; stop close_log of log",
        &["these hooks wait for each other: close_db → close_log → drop log → close_db; take \
           one of the dependencies away: `close_db` (app.rs:3), `close_log` (app.rs:4), `log` \
           (app.rs:2)"],
    );
}

#[test]
fn a_teardown_with_an_order_below_a_user_of_its_resource_is_refused() {
    check_error(
        "start db; stop close of db order 1; stop flush order 2 needs db",
        &["these hooks wait for each other: close → the lower orders → flush → close; take \
           one of the dependencies away: `close` (app.rs:2), `flush` (app.rs:3)"],
    );
}

#[test]
fn before_can_not_contradict_order() {
    check_error(
        "stop a order 2 before b; stop b order 1",
        &["`b` (order 1) depends on `a` (order 2): a hook can't run before what it depends on \
             (`a` at app.rs:1, \
             `b` at app.rs:2)"],
    );
}

#[test]
fn before_names_shutdown_hooks_and_services() {
    assert!(plan("stop a before b; service b").is_ok());
    check_error(
        "start db; stop a before db",
        &["`a` can't run before `db`, which is an `#[on_startup]` hook: `before` names \
             `#[on_shutdown]` hooks and \
             services; to run before its teardown, take `Dep<db>` (`a` at app.rs:2, `db` at \
             app.rs:1)"],
    );
    check_error(
        "drain d; stop a before d",
        &["`a` can't run before `d`, which is an `#[on_drain]` hook: `before` names \
             `#[on_shutdown]` hooks and services \
             (`a` at app.rs:2, `d` at app.rs:1)"],
    );
}

#[test]
fn each_kind_is_a_phase_of_its_own() {
    check("stop d; drain c; ready b; start a", "a | ready b | drain c | d, drop a");
    check("ready b order 2; ready a after b order 3; ready c", " | ready c, b, a | ");
    check(
        "drain b order 1; drain a order 2; ready c order 9; stop d order 0",
        " | ready c | drain b, a | d",
    );
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
        // Each check keeps its own time.
        ("check", "check"),
    ];
    for (one, other) in pairs {
        let under =
            |word| match Kind::ALL.into_iter().find(|kind| word_of(*kind) == word).expect("a kind")
            {
                kind @ (Kind::Service | Kind::HealthCheck) => format!("a `#[{kind}]`"),
                kind => format!("an `#[{kind}]`"),
            };
        let such =
            if matches!(one, "ready" | "drain" | "stop" | "signal") { "such hooks, " } else { "" };
        check_error(
            &format!("{one} a after b; {other} b"),
            &[&format!(
                "`a` can't run after `b`, which is {} hook: `after` of {} hook names \
                 {such}`#[on_startup]` hooks and \
                 services (`a` at app.rs:1, `b` at app.rs:2)",
                under(other),
                under(one),
            )],
        );
    }
    for kind in Kind::ALL {
        for needed in ["start", "service"] {
            let text = format!("{} a after b; {needed} b", word_of(kind));
            assert!(plan(&text).is_ok(), "{text}");
        }
    }
}

#[test]
fn all_problems_are_reported_at_once() {
    let error = plan(
        "start db; stop a of db; stop b of db; stop c before db; stop d order 3 before e; stop e",
    )
    .expect_err("three problems");
    assert_eq!(error.problems().len(), 3, "{error}");
    assert!(
        error.problems()[0]
            .starts_with("`db` (app.rs:1) has two teardowns: `a` (app.rs:2) and `b` (app.rs:3);")
    );
}

#[test]
fn the_plan_is_readable_in_every_format() {
    let plan = plan(
        "start db timeout 10000; start cache needs db; stop close of db timeout 5000; stop flush \
         order 2 needs db; \
         ready announce needs cache; drain farewell order 1 after withdraw; drain withdraw needs \
         db",
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
        \x20 close  app.rs:3  timeout 5s  teardown of db  after flush\n\
        time table of the stop, from the signal, at worst\n\
        \x20 0 s to 17 s           withdraw, no timeout, at least 16.9 s\n\
        \x20 17 s to 18 s          farewell, no timeout, at least 909 ms\n\
        \x20 18 s to 19 s          flush, no timeout, at least 909 ms\n\
        \x20 19 s to 24 s          close, timeout 5 s\n\
        \x20 24 s to 25 s          report\n"
    );
    let mermaid = plan.render(PlanFormat::Mermaid);
    assert!(
        mermaid.contains("start1[\"db\"]") || mermaid.contains("start0[\"cache\"]"),
        "{mermaid}"
    );
    assert!(mermaid.contains("subgraph ready\n    ready0[\"announce\"]\n  end"), "{mermaid}");
    let dot = plan.render(PlanFormat::Dot);
    assert!(
        dot.starts_with("digraph lifecycle {") && dot.contains("subgraph cluster_drain {"),
        "{dot}"
    );
    let json: serde_json::Value =
        serde_json::from_str(&plan.render(PlanFormat::Json)).expect("JSON");
    assert_eq!(json["hooks"][5]["of"], "app::db");
    assert_eq!(json["hooks"][2]["kind"], "on_ready");
    let step = |name: &str, after: &[&str], behind: &[&str]| {
        serde_json::json!({
            "step": name,
            "hook": format!("app::{name}"),
            "does": "run",
            "after": after,
            "behind": behind,
        })
    };
    assert_eq!(json["ready"], serde_json::json!([step("announce", &[], &[])]));
    let farewell = step("farewell", &["the lower orders", "withdraw"], &["lower_orders"]);
    assert_eq!(json["drain"][1], farewell);
    assert_eq!(json["stop"][1], step("close", &["flush"], &[]));
    let row = serde_json::json!({
        "what": "close, timeout 5 s",
        "hook": "app::close",
        "from_ms": 19_000,
        "to_ms": 24_000,
    });
    assert_eq!(json["time_table"][3], row);
}
