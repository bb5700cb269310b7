//! Metadata of hooks, as their attributes state it.

use std::time::Duration;

use super::{
    Backoff, CheckKind, HealthCheckPolicy, Hook, OnExit, Policy, Restart, RestartLimit,
    ServicePolicy, StopOn,
};
use crate::hook::Kind;

/// A second.
const S: Duration = Duration::from_secs(1);

#[lifecycle_macros::service(crate = crate)]
async fn plain_service() {}

#[lifecycle_macros::service(
    restart = "on_failure",
    backoff = "250ms..1m30s",
    max_restarts = "3 in 10s",
    stop_timeout = "7s",
    reserve = "2s",
    stop_on = "drain",
    on_exit = "ignore",
    after = [plain_service],
    crate = crate,
)]
fn service_with_all_keys() {}

#[lifecycle_macros::service(restart = "always", backoff = "2s", on_exit = "stop", crate = crate)]
async fn service_with_a_first_backoff() {}

#[lifecycle_macros::service(restart = "never", crate = crate)]
async fn service_that_never_restarts() {}

#[lifecycle_macros::health_check(crate = crate)]
async fn plain_check() {}

#[lifecycle_macros::health_check(
    kind = "liveness",
    interval = "5s",
    timeout = "2s",
    failures = 1,
    after = [plain_service],
    crate = crate,
)]
fn check_with_all_keys() {}

#[lifecycle_macros::health_check(kind = "startup", interval = "1s", crate = crate)]
async fn check_of_the_start() {}

#[lifecycle_macros::health_check(kind = "readiness", timeout = "10s", crate = crate)]
async fn check_of_readiness() {}

#[lifecycle_macros::on_signal(SIGHUP, crate = crate)]
async fn plain_signal() {}

#[lifecycle_macros::on_signal(
    SIGHUP,
    after = [plain_signal, plain_service],
    timeout = "3s",
    crate = crate,
)]
fn signal_with_all_keys() {}

#[lifecycle_macros::on_startup(after = [plain_service], crate = crate)]
async fn plain_startup() {}

#[lifecycle_macros::on_shutdown(before = [plain_service], after = [plain_startup], crate = crate)]
async fn shutdown_before_a_service() {}

fn service<H: Hook>() -> ServicePolicy {
    assert_eq!((H::META.kind(), H::META.order()), (Kind::Service, None));
    match H::META.policy {
        Policy::Service(policy) => policy,
        other => panic!("{other:?}"),
    }
}

fn check<H: Hook>() -> HealthCheckPolicy {
    assert_eq!((H::META.kind(), H::META.order()), (Kind::HealthCheck, None));
    match H::META.policy {
        Policy::HealthCheck(policy) => policy,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_service_is_kept_as_its_attribute_says() {
    let all = ServicePolicy {
        restart: Restart::OnFailure,
        backoff: Backoff { first: S / 4, cap: 90 * S },
        max_restarts: Some(RestartLimit { count: 3, within: 10 * S }),
        on_exit: OnExit::Ignore,
        stop_on: StopOn::Drain,
    };
    assert_eq!(service::<service_with_all_keys>(), all);
    assert_eq!(service_with_all_keys::META.timeout(), Some(7 * S));
    assert_eq!(service_with_all_keys::META.reserve, Some(2 * S));
    assert!(service_with_all_keys::META.needs().eq([plain_service::META]));

    let first = ServicePolicy {
        restart: Restart::Always,
        backoff: Backoff { first: 2 * S, cap: 30 * S },
        ..ServicePolicy::DEFAULT
    };
    assert_eq!(service::<service_with_a_first_backoff>(), first);
    assert_eq!(service::<service_that_never_restarts>(), ServicePolicy::DEFAULT);
}

/// Holds the defaults. The attribute knows the longest backoff, too: it compares a first one that
/// stands alone with it.
#[test]
fn a_service_is_not_restarted_and_its_failure_stops_the_process_unless_it_says_otherwise() {
    let default = ServicePolicy {
        restart: Restart::Never,
        backoff: Backoff { first: S / 10, cap: 30 * S },
        max_restarts: Some(RestartLimit { count: 5, within: 60 * S }),
        on_exit: OnExit::Stop,
        stop_on: StopOn::Shutdown,
    };
    assert_eq!(service::<plain_service>(), default);
    assert_eq!(plain_service::META.timeout(), None);
}

#[test]
fn health_is_checked_as_the_attribute_says() {
    let all = HealthCheckPolicy { kind: CheckKind::Liveness, interval: 5 * S, failures: 1 };
    assert_eq!(check::<check_with_all_keys>(), all);
    assert_eq!(check_with_all_keys::META.timeout(), Some(2 * S));
    assert_eq!(check::<check_of_the_start>().kind, CheckKind::Startup);
    assert_eq!(check_of_the_start::META.timeout(), Some(S));
    assert_eq!(check_of_readiness::META.timeout(), Some(10 * S));
}

/// Holds the defaults. The attribute knows these times, too: it compares an interval with a timeout
/// that isn't given.
#[test]
fn health_is_checked_as_by_the_probes_of_kubernetes_unless_the_attribute_says_otherwise() {
    let default = HealthCheckPolicy { kind: CheckKind::Readiness, interval: 10 * S, failures: 3 };
    assert_eq!(check::<plain_check>(), default);
    assert_eq!(plain_check::META.timeout(), Some(S));
}

#[test]
fn a_hook_hears_the_signal_that_its_attribute_names() {
    for hook in [plain_signal::META, signal_with_all_keys::META] {
        assert_eq!(
            (hook.kind(), hook.order(), hook.policy),
            (Kind::Signal, None, Policy::Signal("SIGHUP"))
        );
    }
    assert_eq!(plain_signal::META.timeout(), None);
    assert_eq!(signal_with_all_keys::META.timeout(), Some(3 * S));
    assert!(signal_with_all_keys::META.needs().eq([plain_signal::META, plain_service::META]));
}

#[test]
fn hooks_of_the_other_attributes_have_no_policy() {
    assert_eq!(plain_startup::META.policy, Policy::None);
    assert_eq!(shutdown_before_a_service::META.policy, Policy::None);
}
