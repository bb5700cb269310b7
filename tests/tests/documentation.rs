//! The defaults that the README tells of are those that hooks have.

use lifecycle_runtime::hook::{Hook, HookMeta};
use lifecycle_runtime::plan::{Plan, PlanFormat};
use lifecycle_runtime::{health_check, service};
use serde_json::Value;

/// The attribute says nothing.
#[service]
async fn bare_service() {}

/// It says what the README calls the default, but that such a service is restarted: else it could
/// not.
#[service(
    restart = "on_failure",
    backoff = "100ms..30s",
    max_restarts = "5 in 1m",
    on_exit = "stop"
)]
async fn told_service() {}

#[service(restart = "never")]
async fn never() {}

#[health_check]
async fn bare_check() {}

#[health_check(kind = "readiness", interval = "10s", timeout = "1s", failures = 3)]
async fn told_check() {}

/// What the plan says of a hook.
fn told(hook: &'static HookMeta) -> Value {
    let plan = Plan::new([hook]).expect("a valid plan").render(PlanFormat::Json);
    let mut plan: Value = serde_json::from_str(&plan).expect("JSON");
    plan["hooks"][0].take()
}

#[test]
fn the_defaults_of_a_service_are_those_of_the_readme() {
    let (mut bare, told_service, never) =
        (told(bare_service::META), told(told_service::META), told(never::META));
    assert_eq!(bare["service"], never["service"]);
    assert_eq!(bare["service"]["restart"].take(), "never");
    bare["service"]["restart"] = told_service["service"]["restart"].clone();
    assert_eq!(bare["service"], told_service["service"]);
    assert_eq!(bare["timeout_ms"], Value::Null, "no `stop_timeout`");
    expect_rows(&[
        "| `restart = \"on_failure\"` | after which ends a service is run again: `\"never\"` (the default), ",
        "| `backoff = \"100ms..30s\"` | ",
        "; this by default |\n| `max_restarts = \"5 in 1m\"` | ",
        "beyond that the service has failed for good; this by default. `\"unlimited\"`",
        "by default, `\"stop\"`, the process stops |",
    ]);
}

#[test]
fn the_defaults_of_a_health_check_are_those_of_the_readme() {
    let (bare, told) = (told(bare_check::META), told(told_check::META));
    assert_eq!((&bare["check"], &bare["timeout_ms"]), (&told["check"], &told["timeout_ms"]));
    assert!(bare["check"].is_object() && bare["timeout_ms"] == 1_000, "{bare}");
    expect_rows(&[
        "| `timeout = \"1m30s\"` | how long the hook may take at most; a health check 1 s by default.",
        "`/readyz` (the default)",
        "| `interval = \"10s\"` | from one run of a health check to the next, 10 s by default",
        "| `failures = 3` | how many failures of a health check in a row count, 3 by default",
    ]);
}

/// The README says so.
#[track_caller]
fn expect_rows(parts: &[&str]) {
    let readme = include_str!("../../README.md");
    for part in parts {
        assert!(readme.contains(part), "no `{part}` in the README");
    }
}
