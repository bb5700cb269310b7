//! Tests of runs on paused time: the plan and the behaviour of each hook are texts, and the test
//! expects lines for the events.

mod budget;
mod faults;
mod gate;
mod phases;
mod recurring;
mod scenario;
mod services;
mod signals;

use std::time::Duration;

use scenario::Scenario;

#[tokio::test(start_paused = true)]
async fn hooks_that_nothing_orders_run_at_the_same_time() {
    let ran = Scenario::new(
        "start a; start b; stop c; stop d",
        "a takes 10; b takes 10; c takes 20; d takes 20",
    )
    .run()
    .await;
    ran.check(&[
        "0 +a",
        "0 +b",
        "10 a done",
        "10 b done",
        "10 ready",
        "10 +c",
        "10 +d",
        "30 c done",
        "30 d done",
    ]);
    assert_eq!(ran.report.exit_code(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_hook_waits_for_what_it_needs_and_for_nothing_else() {
    let ran =
        Scenario::new("start a; start b needs a; start c", "a takes 10; b takes 10; c takes 30")
            .run()
            .await;
    ran.check(&["0 +a", "0 +c", "10 a done", "10 +b", "20 b done", "30 c done", "30 ready"]);
}

#[tokio::test(start_paused = true)]
async fn a_diamond_takes_as_long_as_its_longest_path() {
    let plan =
        "start top; start left needs top; start right needs top; start bottom needs left right";
    let ran = Scenario::new(plan, "top takes 10; left takes 10; right takes 10; bottom takes 10")
        .run()
        .await;
    assert_eq!(ran.report.start_took, Duration::from_millis(30));
    let path: Vec<_> = ran.report.start_path.iter().map(|(hook, _)| hook.name()).collect();
    assert_eq!(path, ["top", "right", "bottom"]);
}

#[tokio::test(start_paused = true)]
async fn the_stop_runs_in_the_reverse_of_use() {
    let plan = "start db; start cache needs db; stop close_db of db; stop clear_cache of cache; \
                stop flush needs cache";
    let ran =
        Scenario::new(plan, "flush takes 5; clear_cache takes 5; close_db takes 5").run().await;
    ran.check(&[
        "0 +db",
        "0 db done",
        "0 +cache",
        "0 cache done",
        "0 ready",
        "0 +flush",
        "5 flush done",
        "5 +clear_cache",
        "10 clear_cache done",
        "10 +close_db",
        "15 close_db done",
    ]);
}

#[tokio::test(start_paused = true)]
async fn an_order_is_a_barrier() {
    let ran = Scenario::new(
        "stop a order 1; stop b order 2; stop c order 1",
        "a takes 5; b takes 5; c takes 10",
    )
    .run()
    .await;
    ran.check(&["0 ready", "0 +a", "0 +c", "5 a done", "10 c done", "10 +b", "15 b done"]);
}

#[tokio::test(start_paused = true)]
async fn sync_hooks_run_beside_each_other_and_beside_async_ones() {
    let ran =
        Scenario::new("start a; start b; start c", "a blocks until c done; b blocks until c done")
            .run()
            .await;
    ran.check_sorted(&[
        "+a",
        "+b",
        "+c",
        "a done",
        "a has a thread",
        "b done",
        "b has a thread",
        "c done",
        "ready",
    ]);
}

#[tokio::test(start_paused = true)]
async fn the_states_are_entered_in_order_and_once() {
    let ran = Scenario::new("start a; stop b", "").run().await;
    assert_eq!(ran.states(), ["starting", "ready", "draining", "stopping", "stopped"]);
    let failed = Scenario::new("start a; stop b", "a fails").run().await;
    assert_eq!(failed.states(), ["starting", "stopping", "stopped"]);
}

#[tokio::test(start_paused = true)]
async fn values_without_teardown_are_dropped_where_it_would_have_run() {
    let plan = "start db; start cache needs db; stop flush needs cache; stop close_db of db";
    let ran = Scenario::new(plan, "db has a value; cache has a value").run().await;
    ran.check(&[
        "0 +db",
        "0 db done",
        "0 +cache",
        "0 cache done",
        "0 ready",
        "0 +flush",
        "0 flush done",
        "0 cache dropped",
        "0 +close_db",
        "0 close_db done",
        "0 db dropped",
    ]);
}

#[tokio::test(start_paused = true)]
async fn any_number_of_runs_go_on_side_by_side() {
    let runs = (0..50).map(|n| {
        let behaviour = if n % 2 == 0 { "a takes 10" } else { "a takes 10; b fails" };
        tokio::spawn(Scenario::new("start a; start b needs a; stop c of a", behaviour).run())
    });
    for (n, execute) in runs.collect::<Vec<_>>().into_iter().enumerate() {
        let ran = execute.await.expect("no panic");
        assert_eq!(ran.report.exit_code(), u8::from(n % 2 == 1));
        assert_eq!(ran.count("c done"), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_stop_says_every_second_what_it_waits_for() {
    let ran = Scenario::new("stop a; stop b", "a takes 2500; b takes 1500").run().await;
    assert_eq!(ran.waits(), [vec!["a", "b"], vec!["a"]]);
}
