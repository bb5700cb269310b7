//! How many schedules there are.

use std::cell::RefCell;
use std::collections::HashSet;
use std::time::Duration;

use lifecycle_runtime::testing::{Explored, TestReport};
use lifecycle_runtime::{Dep, Hook, HookMeta, Stop, on_shutdown, on_startup, service};
use tokio::time::sleep;

use crate::{ended, of};

#[on_startup]
async fn a() {}
#[on_startup]
async fn b() {}
#[on_startup]
async fn c() {}
#[on_startup]
async fn d() {}

/// Explores these hooks: what came of it, and the orders in which they ended.
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
        assert_eq!((explored.schedules, explored.random, explored.exhaustive), (factorial, 0, true));
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
    // Behind each other at the start, and so at the stop; `last` comes anywhere.
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
    // Before it begins, while it waits, and after it.
    assert_eq!(explored.to_string(), "all 3 schedules");
    assert_eq!(orders.iter().filter(|order| **order == ["slow", "a"]).count(), 1);
    assert_eq!(orders.iter().filter(|order| **order == ["a", "slow"]).count(), 2);
}

#[on_startup]
async fn turns_twice() {
    tokio::task::yield_now().await;
}

#[test]
fn others_run_between_the_polls_of_a_hook() {
    let (explored, orders) = orders(&[a::META, turns_twice::META]);
    assert_eq!(explored.to_string(), "all 3 schedules");
    assert_eq!(orders.iter().filter(|order| **order == ["a", "turns_twice"]).count(), 2);
}

#[on_startup(timeout = "1s")]
async fn hangs() {
    std::future::pending::<()>().await;
}

#[test]
fn a_hook_that_hangs_keeps_no_other_from_its_turn() {
    let starts = RefCell::new(Vec::new());
    let note = |report: &TestReport| {
        report.assert_exit_code(1).assert_failed::<hangs>("timeout");
        starts.borrow_mut().push(ended(report));
    };
    of(&[a::META, hangs::META]).check(note).run(async |_| {});
    assert_eq!(starts.into_inner(), [vec!["a", "hangs"], vec!["a", "hangs"], vec!["hangs"]]);
}

#[on_startup]
fn on_a_thread() {
    std::thread::sleep(Duration::from_millis(2));
}

#[test]
fn a_plain_fn_runs_to_its_end_in_one_turn() {
    let (explored, orders) = orders(&[a::META, on_a_thread::META]);
    assert_eq!(explored.to_string(), "all 2 schedules");
    assert_eq!(orders, [["a", "on_a_thread"], ["on_a_thread", "a"]]);
}

#[service]
async fn poller(stop: Stop) {
    stop.requested().await;
}

#[test]
fn services_begin_and_end_in_turns() {
    let (explored, orders) = orders(&[a::META, poller::META, last::META]);
    // It begins before or after `a`; that it ends is awaited by `last`.
    assert_eq!(explored.to_string(), "all 2 schedules");
    assert_eq!(orders, [["a", "poller", "last"], ["a", "poller", "last"]]);
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
    assert_eq!(explored.to_string(), "100 schedules: the 50 nearest to the plan's own order, and 50 at random");
    assert!(!explored.exhaustive);
    let orders = orders.into_inner();
    assert_eq!(orders.len(), 100);
    assert_eq!(orders.iter().collect::<HashSet<_>>().len(), 100);
}
