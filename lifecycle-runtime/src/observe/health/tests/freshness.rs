//! Tests of results that grow old, and of runtimes that are stalled.

use super::*;
use crate::event::RuntimeName;
use crate::process::stalls::WatchedRuntime;

/// Checks the age of a passed result, in seconds, up to which the result of a check counts.
async fn check_freshness(kind: &str, state: State, fresh: Option<u64>) {
    let hooks = [hook("ping", kind, 1)];
    let checks = Checks::new(hooks);
    checks.record(hooks[0], &Outcome::Succeeded, Duration::ZERO);
    let (_sender, progress) =
        watch::channel(Progress { state, has_started: true, ..Progress::default() });
    let health = Health::new(progress, true, checks, Vec::new, |_| Vec::new(), stalls());
    let probe = if kind == "liveness" { Liveness } else { Readiness };
    tokio::time::advance(Duration::from_secs(fresh.unwrap_or(1_000_000))).await;
    assert_eq!(health.failure_reason(probe), None, "{kind} {state}");
    tokio::time::advance(Duration::from_millis(100)).await;
    let reason = fresh.map(|age| format!("health check `ping` not checked for {age}.1 s"));
    assert_eq!(health.failure_reason(probe), reason, "{kind} {state}");
    let body: serde_json::Value =
        serde_json::from_str(&health.answer(probe, Audience::Operators).body).expect("JSON");
    let status = if fresh.is_some() { "fail" } else { "pass" };
    if !body["checks"].is_null() {
        assert_eq!(body["checks"][0]["status"], status, "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_result_counts_as_long_as_it_is_fresh() {
    // The interval, the timeout, and the time after which a stall is reported.
    let fresh = HealthCheckPolicy::DEFAULT.interval
        + hook("ping", "readiness", 1).timeout().unwrap_or_default()
        + StallLimits::default().after;
    let fresh = Some(fresh.as_secs());
    check_freshness("readiness", State::Ready, fresh).await;
    check_freshness("liveness", State::Ready, fresh).await;
    // Neither runs again.
    check_freshness("startup", State::Ready, None).await;
    check_freshness("readiness", State::Draining, None).await;
}

#[test]
fn a_process_whose_hooks_are_stalled_says_so_in_its_probes() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let after = Duration::from_secs(5);
    let limits = StallLimits { after, timeout: Some(after) };
    let stalls = StallTracker::new(limits);
    stalls.watch(&WatchedRuntime {
        name: RuntimeName::Hooks,
        handle: runtime.handle().clone(),
        pool_size: Some(1 << 20),
        holders: std::sync::Arc::new(|_, _| Vec::new()),
    });
    let (sender, progress) =
        watch::channel(Progress { state: State::Ready, has_started: true, ..Progress::default() });
    let health =
        Health::new(progress, false, Checks::default(), Vec::new, |_| Vec::new(), stalls.clone());
    assert_eq!(health.failure_reason(Liveness), None);
    for _ in 0..2 {
        stalls.look(Duration::from_secs(7), State::Ready);
    }
    let reason = "the hooks' runtime has been stalled for 7 s";
    assert_eq!(health.failure_reason(Liveness).as_deref(), Some(reason));
    assert_eq!(health.failure_reason(Readiness), None, "requests are answered");
    let body = health.answer(Readiness, Audience::Operators).body;
    assert!(body.contains(&format!(r#""notes":["{reason}"]"#)), "{body}");
    let stopping = Progress { state: State::Draining, has_started: true, ..Progress::default() };
    sender.send_replace(stopping);
    assert_eq!(health.failure_reason(Liveness), None, "it ends by its grace period");
}
