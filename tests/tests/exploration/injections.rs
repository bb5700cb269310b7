//! Signals and faults, at every step.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::time::Duration;

use lifecycle_runtime::event::{Outcome, State};
use lifecycle_runtime::hook::{Hook, HookMeta};
use lifecycle_runtime::testing::{Explore, Signal, TestApp, TestReport};
use lifecycle_runtime::{
    Dep, Stop, on_drain, on_ready, on_shutdown, on_signal, on_startup, service,
};
use tokio::time::sleep;

use crate::{ended, failure, of};

#[on_startup]
async fn db() {}
#[on_startup]
async fn cache(_db: Dep<db>) {}
#[on_startup]
async fn mail() {}
#[service]
async fn outbox(_db: Dep<db>, _mail: Dep<mail>, stop: Stop) {
    stop.requested().await;
}
#[on_ready]
async fn announce(_cache: Dep<cache>) {}
#[on_drain]
async fn withdraw(_cache: Dep<cache>) {}
#[on_shutdown]
async fn flush(_cache: Dep<cache>) {}
#[on_shutdown(of = db, timeout = "1s")]
async fn close_db(_db: Dep<db>) {}
#[on_shutdown(of = cache, timeout = "1s")]
async fn clear_cache(_cache: Dep<cache>) {}
#[on_shutdown(of = mail, timeout = "1s")]
async fn hang_up(_mail: Dep<mail>) {}

const HOOKS: &[&HookMeta] = &[
    outbox::META,
    announce::META,
    withdraw::META,
    flush::META,
    close_db::META,
    clear_cache::META,
    hang_up::META,
];

const TEARDOWNS: [(&HookMeta, &HookMeta); 3] =
    [(db::META, close_db::META), (cache::META, clear_cache::META), (mail::META, hang_up::META)];

fn outcomes(report: &TestReport, hook: &HookMeta) -> Vec<Outcome> {
    report
        .hooks
        .iter()
        .filter(|ended| ended.hook == hook)
        .map(|ended| ended.outcome.clone())
        .collect()
}

/// Returns whether a hook ran, whatever its outcome.
fn ran(report: &TestReport, hook: &HookMeta) -> bool {
    outcomes(report, hook).iter().any(|outcome| !matches!(outcome, Outcome::Skipped { .. }))
}

/// Checks what has to hold in every run.
fn check(report: &TestReport) {
    for (resource, teardown) in TEARDOWNS {
        let has_started = outcomes(report, resource) == [Outcome::Succeeded];
        assert_eq!(
            ran(report, teardown),
            has_started,
            "{} is torn down if it has started: {report}",
            resource.name()
        );
        assert!(outcomes(report, teardown).len() <= 1, "{} twice: {report}", teardown.name());
        let users = HOOKS
            .iter()
            .chain([&cache::META])
            .filter(|user| user.needs().any(|used| used == resource));
        for &user in
            users.filter(|user| **user != teardown && ran(report, user) && ran(report, teardown))
        {
            report.assert_order(&[user, teardown]);
        }
    }
    if ran(report, clear_cache::META) && ran(report, close_db::META) {
        report.assert_before::<clear_cache, close_db>();
    }
    let has_failed = report.failures().next().is_some();
    assert_eq!(report.is_clean(), report.error.is_none() && !has_failed, "{report}");
    // Every hook that has begun has ended.
    let begun = report.to_string().matches(" begins\n").count();
    assert_eq!(
        begun,
        report.hooks.iter().filter(|h| !matches!(h.outcome, Outcome::Skipped { .. })).count(),
        "{report}"
    );
}

#[test]
fn a_signal_at_every_step_leaves_nothing_behind() {
    let (causes, starts) = (RefCell::new(HashSet::new()), Cell::new(0));
    let note = |report: &TestReport| {
        check(report);
        assert_eq!(report.failures().count(), 0, "{report}");
        causes
            .borrow_mut()
            .insert(report.cause.as_ref().map(ToString::to_string).unwrap_or_default());
        assert_eq!(report.exit_code(), 0, "{report}");
        starts.set(starts.get() + u32::from(report.interrupted));
    };
    let explored =
        of(HOOKS).signals([Signal::SIGTERM, Signal::SIGINT]).check(note).run(async |_| {});
    assert!(explored.schedules == 1_000 || explored.exhaustive, "{explored}");
    let causes = causes.into_inner();
    for cause in ["SIGTERM", "SIGINT", "requested by the program"] {
        assert!(causes.contains(cause), "{causes:?}");
    }
    assert!(starts.get() > 50, "{}", starts.get());
}

#[test]
fn a_fault_of_every_hook_changes_nothing_for_the_others() {
    let failed = RefCell::new(HashSet::new());
    let note = |report: &TestReport| {
        check(report);
        let of = report
            .failures()
            .map(|failed| (failed.hook.name(), std::mem::discriminant(&failed.outcome)));
        failed.borrow_mut().extend(of);
        // Every hook of the stop runs whose dependencies have succeeded.
        for hook in [flush::META, close_db::META] {
            let is_needed = outcomes(report, cache::META) == [Outcome::Succeeded];
            assert!(!is_needed || ran(report, hook), "{report}");
        }
    };
    of(HOOKS).faults().check(note).run(async |_| {});
    // Each hook fails in three ways. The service that hangs is told to stop, and does not.
    assert_eq!(failed.into_inner().len(), 10 * 3, "each of the ten hooks in three ways");
}

#[test]
fn without_a_check_what_is_done_to_a_run_does_not_fail_it() {
    let ran = Cell::new(0);
    let test = async |_| ran.set(ran.get() + 1);
    let explored = of(&[db::META, close_db::META]).signals([Signal::SIGTERM]).faults().run(test);
    // Ten schedules: the run itself; a signal before `db`, at the test and before `close_db`; three
    // faults of each of the two hooks.
    assert_eq!(explored.to_string(), "all 10 schedules");
    assert_eq!(ran.get(), 5, "with the run itself, and with what happens after the test");
}

#[on_shutdown(timeout = "1s")]
async fn sends_the_rest() {
    tokio::task::yield_now().await;
    sleep(Duration::from_millis(10)).await;
}

fn of_two_awaits() -> Explore<'static> {
    of(&[sends_the_rest::META])
}

#[test]
fn a_fault_at_every_await_is_one_more_run() {
    let outcomes = RefCell::new(Vec::new());
    let note = |report: &TestReport| {
        let outcome =
            report.outcome(sends_the_rest::META).map(ToString::to_string).unwrap_or_default();
        outcomes.borrow_mut().push(outcome.split(':').next().unwrap_or_default().to_owned());
    };
    let explored = of_two_awaits().faults_at_awaits().check(note).run(async |_| {});
    assert_eq!(explored.to_string(), "all 7 schedules");
    let outcomes = outcomes.into_inner();
    for outcome in ["failed", "panicked", "ran into its timeout and was cancelled"] {
        assert_eq!(outcomes.iter().filter(|other| *other == outcome).count(), 2, "{outcomes:?}");
    }
    let judged = |report: &TestReport| assert!(report.failures().next().is_none(), "unclean");
    let failure = failure(|| of_two_awaits().faults_at_awaits().check(judged).run(async |_| {}));
    assert!(
        failure.contains("\nwhat decides: \"sends_the_rest goes on, and fails\"; without that"),
        "{failure}"
    );
}

#[test]
fn a_failure_that_a_signal_brings_about_names_it() {
    let test = |report: &TestReport| assert!(ended(report).contains(&"cache"), "no cache");
    let failure = failure(|| {
        of(&[cache::META, mail::META]).signals([Signal::SIGTERM]).check(test).run(async |_| {})
    });
    assert!(
        failure
            .contains("\nwhat decides: \"SIGTERM arrives\"; without that, the same order passes\n"),
        "{failure}"
    );
    assert!(failure.contains("  SIGTERM arrives\n"), "{failure}");
}

#[test]
fn a_failure_that_a_fault_brings_about_names_it() {
    let test = |report: &TestReport| assert!(report.failures().next().is_none(), "unclean");
    let failure = failure(|| of(&[mail::META]).faults().check(test).run(async |_| {}));
    assert!(
        failure.contains("\nwhat decides: \"mail begins, and fails\"; without that"),
        "{failure}"
    );
}

#[service]
async fn ticker(stop: Stop) {
    while tokio::time::timeout(Duration::from_millis(10), stop.requested()).await.is_err() {}
}

#[test]
fn nothing_is_done_to_a_run_while_the_test_looks_at_it() {
    let test = async |app: TestApp| {
        sleep(Duration::from_millis(50)).await;
        assert_eq!(app.state(), State::Ready);
    };
    let explored = of(&[ticker::META]).signals([Signal::SIGTERM]).schedules(50).run(test);
    assert!(explored.schedules > 2, "{explored}");
}

#[on_signal(SIGHUP)]
async fn reload(_db: Dep<db>) {}

#[test]
fn signals_for_hooks_run_them() {
    let runs = Cell::new(0);
    let note = |report: &TestReport| {
        runs.set(runs.get() + report.recurring.iter().map(|hook| hook.runs).sum::<u64>());
    };
    of(&[reload::META]).signals([Signal::SIGHUP]).check(note).run(async |_| {});
    assert!(runs.get() > 0);
}

#[test]
fn no_signal_is_injected_that_would_end_the_process() {
    let stops_twice = async |app: TestApp| {
        app.signal(Signal::SIGTERM);
        app.signal(Signal::SIGTERM);
    };
    let explored = of(&[close_db::META]).signals([Signal::SIGTERM]).run(stops_twice);
    // Three schedules: the run itself; a signal before `db` and at the test. Before `close_db` it
    // would be the third.
    assert_eq!(explored.to_string(), "all 3 schedules");
}

#[test]
fn a_signal_that_nobody_hears_is_refused() {
    let failure = failure(|| of(&[mail::META]).signals([Signal::SIGUSR2]).run(async |_| {}));
    assert_eq!(failure, "nobody hears SIGUSR2: no hook of the app is for it");
}
