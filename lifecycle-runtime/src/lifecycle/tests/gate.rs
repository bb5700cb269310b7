//! Tests of runs with a gate that decides when steps begin.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use tokio::sync::Notify;
use tokio::time::sleep;

use super::scenario::Scenario;
use crate::engine::executor::StepGate;
use crate::plan::Step;

/// Gate that lets hooks begin one after the other, the last of the plan first, and the drops after
/// them.
struct LastFirst;

impl StepGate for LastFirst {
    fn permit(&self, step: Step) -> BoxFuture<'static, ()> {
        let millis = match step {
            Step::Run(at) => 10 * (10 - at as u64),
            Step::Drop(_) => 200,
            Step::Stop(_) | Step::Barrier(_) => unreachable!("nothing runs: {step:?}"),
        };
        sleep(Duration::from_millis(millis)).boxed()
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_begins_when_it_has_its_turn() {
    let ran = Scenario::new("start a; start b; service s; stop c; stop d", "a has a value; s runs")
        .gate(LastFirst)
        .run();
    ran.await.check(&[
        "80 +s",
        "80 s running",
        "90 +b",
        "90 b done",
        "100 +a",
        "100 a done",
        "100 ready",
        "100 -s",
        "100 s done",
        "160 +d",
        "160 d done",
        "170 +c",
        "170 c done",
        "0 a dropped",
    ]);
}

#[tokio::test(start_paused = true)]
async fn a_step_that_waits_for_its_turn_can_be_given_up() {
    let ran = Scenario::new("start a; start b; start c; stop d of a", "b fails")
        .gate(LastFirst)
        .run()
        .await;
    // `a`, whose turn is the last, does not begin, and nothing of it is torn down.
    ran.check(&["80 +c", "80 c done", "90 +b", "90 b failed", "90 d skipped"]);
    assert_eq!(ran.report.exit_code(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_hurry_keeps_no_step_from_its_turn() {
    let ran = Scenario::new("start a; service s; stop c; stop d", "s runs")
        .signals(&["ready", "s done"])
        .gate(LastFirst)
        .run()
        .await;
    for done in ["c done", "d done"] {
        assert_eq!(ran.count(done), 1, "{done}");
    }
}

/// Gate that lets each hook begin late.
struct Late;

impl StepGate for Late {
    fn permit(&self, _: Step) -> BoxFuture<'static, ()> {
        sleep(Duration::from_millis(600)).boxed()
    }
}

#[tokio::test(start_paused = true)]
async fn the_drain_delay_follows_a_drain_hook_that_began_late_as_well() {
    // By the time table, `a` has ended after 1.1 s.
    let ended = Scenario::new("drain a timeout 1000; stop b", "a takes 600")
        .grace(10_000)
        .drain_delay(500)
        .gate(Late)
        .run()
        .await;
    ended.check(&["0 ready", "600 +a", "1200 a done", "2300 +b", "2300 b done"]);
}

/// Gate that holds the second hook of the plan back until nothing else runs.
#[derive(Default)]
struct HoldsOneBack(Arc<Notify>);

impl StepGate for HoldsOneBack {
    fn permit(&self, _: Step) -> BoxFuture<'static, ()> {
        let only_waits = Arc::clone(&self.0);
        async move { only_waits.notified().await }.boxed()
    }

    fn holds_back(&self, step: Step) -> bool {
        matches!(step, Step::Run(1))
    }

    fn only_waits(&self) {
        self.0.notify_one();
    }
}

#[tokio::test(start_paused = true)]
async fn a_gate_learns_that_nothing_runs_but_what_it_holds_back() {
    let ended = Scenario::new("start a; start b; start c; start d after b", "a takes 500")
        .gate(HoldsOneBack::default())
        .run()
        .await;
    ended.check(&[
        "0 +a",
        "0 +c",
        "0 c done",
        "500 a done",
        "500 +b",
        "500 b done",
        "500 +d",
        "500 d done",
        "500 ready",
    ]);
}
