//! Number of schedules that an exploration runs.

use std::cell::RefCell;
use std::collections::HashSet;
use std::time::Duration;

use lifecycle_runtime::hook::{Hook, HookMeta};
use lifecycle_runtime::testing::{Explore, Explored, TestApp, TestReport};
use lifecycle_runtime::{Dep, Lifecycle, Stop, on_shutdown, on_startup, service};
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::{ended, failure, of};

#[on_startup]
async fn a() {}
#[on_startup]
async fn b() {}
#[on_startup]
async fn c() {}
#[on_startup]
async fn d() {}

/// Explores these hooks. Returns the result, and the orders in which they ended.
fn orders(hooks: &[&'static HookMeta]) -> (Explored, Vec<Vec<&'static str>>) {
    let orders = RefCell::new(Vec::new());
    let note = |report: &TestReport| orders.borrow_mut().push(ended(report));
    let explored = of(hooks).check(note).run(async |_| {});
    (explored, orders.into_inner())
}

#[test]
fn hooks_that_nothing_orders_run_in_every_order_once() {
    let hooks = [a::META, b::META, c::META, d::META];
    for (number, factorial) in [(1, 1), (2, 2), (3, 6), (4, 24)] {
        let (explored, orders) = orders(&hooks[..number]);
        assert_eq!(
            (explored.schedules, explored.random, explored.exhaustive),
            (factorial, 0, true)
        );
        assert_eq!(orders.len(), factorial);
        assert_eq!(orders.iter().collect::<HashSet<_>>().len(), factorial);
    }
}

#[on_startup]
async fn left(_a: Dep<a>) {}
#[on_startup]
async fn right(_a: Dep<a>) {}
#[on_startup(after = [left, right])]
async fn bottom() {}

#[on_startup(after = [left])]
async fn end_of_chain() {}

#[test]
fn a_chain_has_one_schedule() {
    let (explored, orders) = orders(&[end_of_chain::META]);
    assert_eq!(explored.to_string(), "the only schedule");
    assert_eq!(orders, [["a", "left", "end_of_chain"]]);
}

#[test]
fn a_diamond_has_two() {
    let (explored, orders) = orders(&[bottom::META]);
    assert_eq!(explored.to_string(), "all 2 schedules");
    assert_eq!(orders, [["a", "left", "right", "bottom"], ["a", "right", "left", "bottom"]]);
}

struct Precious;

impl Drop for Precious {
    fn drop(&mut self) {}
}

#[on_startup]
async fn one() -> Precious {
    Precious
}
#[on_startup(after = [one])]
async fn other() -> Precious {
    Precious
}
#[on_shutdown]
async fn last() {}

#[test]
fn drops_are_steps_and_those_of_plain_values_are_not() {
    // Two values follow each other at the start, and so do their drops at the stop. `last` comes
    // anywhere.
    let (explored, _) = orders(&[other::META, last::META]);
    assert_eq!(explored.to_string(), "all 3 schedules");
    let (explored, _) = orders(&[a::META, last::META]);
    assert_eq!(explored.to_string(), "the only schedule");
}

#[on_startup]
async fn slow() {
    sleep(Duration::from_millis(50)).await;
}

#[test]
fn a_hook_that_waits_goes_on_before_another_begins_or_after() {
    let (explored, orders) = orders(&[a::META, slow::META]);
    // `a` runs before `slow` begins, while it waits, and after it.
    assert_eq!(explored.to_string(), "all 3 schedules");
    assert_eq!(orders.iter().filter(|order| **order == ["slow", "a"]).count(), 1);
    assert_eq!(orders.iter().filter(|order| **order == ["a", "slow"]).count(), 2);
}

#[on_startup]
async fn yields_once() {
    tokio::task::yield_now().await;
}

#[test]
fn others_run_between_the_polls_of_a_hook() {
    let (explored, orders) = orders(&[a::META, yields_once::META]);
    assert_eq!(explored.to_string(), "all 3 schedules");
    assert_eq!(orders.iter().filter(|order| **order == ["a", "yields_once"]).count(), 2);
}

#[on_startup(timeout = "1s")]
async fn hangs() {
    std::future::pending::<()>().await;
}

#[test]
fn a_hook_that_hangs_keeps_no_other_from_its_permit() {
    let starts = RefCell::new(Vec::new());
    let note = |report: &TestReport| {
        report.assert_exit_code(1).assert_failed::<hangs>("timeout");
        starts.borrow_mut().push(ended(report));
    };
    of(&[a::META, hangs::META]).check(note).run(async |_| {});
    assert_eq!(starts.into_inner(), [vec!["a", "hangs"], vec!["a", "hangs"], vec!["hangs"]]);
}

#[on_startup]
async fn bell() -> Notify {
    Notify::new()
}
#[on_startup]
async fn rings(bell: Dep<bell>) {
    bell.notify_one();
}
#[on_startup]
async fn listens(bell: Dep<bell>) {
    bell.notified().await;
}

#[test]
fn time_passes_but_once_for_a_hook_that_waits_for_another() {
    let (explored, orders) = orders(&[rings::META, listens::META]);
    // `listens` begins after `rings`, before it, or before it with a pause between them.
    assert_eq!(explored.to_string(), "all 3 schedules");
    assert!(orders.iter().all(|order| *order == ["bell", "rings", "listens"]), "{orders:?}");
}

#[on_startup]
fn on_a_thread() {
    std::thread::sleep(Duration::from_millis(2));
}

#[test]
fn a_plain_fn_runs_to_its_end_under_one_permit() {
    let (explored, orders) = orders(&[a::META, on_a_thread::META]);
    assert_eq!(explored.to_string(), "all 2 schedules");
    assert_eq!(orders, [["a", "on_a_thread"], ["on_a_thread", "a"]]);
}

#[service]
async fn poller(stop: Stop) {
    stop.requested().await;
}

#[test]
fn services_begin_and_end_under_permits() {
    let (explored, orders) = orders(&[a::META, poller::META, last::META]);
    // The service begins before or after `a`. `last` waits for its end.
    assert_eq!(explored.to_string(), "all 2 schedules");
    assert_eq!(orders, [["a", "poller", "last"], ["a", "poller", "last"]]);
}

#[on_startup]
async fn on_disk() {
    for _ in 0..3 {
        let reading = tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_millis(1)));
        tokio::time::timeout(Duration::from_millis(1), reading)
            .await
            .expect("time stands still")
            .expect("no panic");
    }
}

#[test]
fn what_is_real_takes_as_long_as_it_takes_and_no_permits_are_given_meanwhile() {
    let setup = || TestApp::of(Lifecycle::of([a::META, on_disk::META])).real_io::<on_disk>();
    let explored = Explore::new().setup(setup).run(async |_| {});
    assert_eq!(explored.to_string(), "all 2 schedules");
}

#[test]
fn permits_are_no_reason_to_run_out_of_time() {
    let tight = || {
        Lifecycle::of(MANY.iter().copied().chain([last::META]))
            .startup_timeout(Duration::from_millis(2))
    };
    let setup = || TestApp::of(tight().grace(Duration::from_millis(1)));
    let explored = Explore::new().setup(setup).schedules(3).run(async |_| {});
    assert_eq!(explored.schedules, 3);
}

#[test]
fn an_app_that_listens_can_not_be_explored() {
    let explore = Explore::new().setup(|| TestApp::of(Lifecycle::of([a::META])).listen());
    let refused = failure(|| explore.run(async |_| {}));
    assert_eq!(
        refused,
        "an app that is explored can't listen: connections are real, and time is not"
    );
}

#[test]
fn a_test_that_does_not_end_is_reported_after_a_day() {
    let refused = failure(|| of(&[a::META]).run(async |_| std::future::pending().await));
    assert!(
        refused.contains("    the test did not end within a day of paused time\n"),
        "{refused}"
    );
}

#[test]
fn what_a_test_starts_beside_the_app_is_looked_after() {
    let other = async |_| drop(TestApp::of(Lifecycle::of([b::META])).start().await);
    assert_eq!(of(&[a::META]).run(other).to_string(), "the only schedule");
    let unclean = async |_| {
        drop(TestApp::of(Lifecycle::of([last::META])).fail::<last>("too late").start().await);
    };
    let failure = failure(|| of(&[a::META]).run(unclean));
    assert!(failure.contains("last failed: too late"), "{failure}");
}

macro_rules! many {
    ($($name:ident)*) => {
        $(#[on_startup] async fn $name() {})*
        const MANY: &[&HookMeta] = &[$($name::META),*];
    };
}
many!(m0 m1 m2 m3 m4 m5 m6 m7 m8 m9 m10 m11);

#[test]
fn what_is_too_much_is_run_half_by_nearness_and_half_at_random() {
    let orders = RefCell::new(Vec::new());
    let note = |report: &TestReport| orders.borrow_mut().push(ended(report));
    let explored = of(MANY).schedules(100).check(note).run(async |_| {});
    assert_eq!(
        explored.to_string(),
        "100 schedules: the 50 nearest to the plan's own order, and 50 at random"
    );
    assert!(!explored.exhaustive);
    let orders = orders.into_inner();
    assert_eq!(orders.len(), 100);
    assert_eq!(orders.iter().collect::<HashSet<_>>().len(), 100);
}
