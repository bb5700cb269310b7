//! Tests of signals at every step of a run.

use super::scenario::Scenario;

const PLAN: &str = "start db; start cache needs db; start other; stop close of db; stop clear of \
                    cache; stop flush needs cache; \
                    stop last order 1; ready announce needs cache; ready check after announce; \
                    drain withdraw needs cache; \
                    drain tell after withdraw";

const SLOW: &str = "db takes 10; other takes 15; cache takes 10; announce takes 10; check takes \
                    10; withdraw takes 10; \
                    tell takes 10; flush takes 10; clear takes 10; close takes 10";

const START_STEPS: [&str; 7] =
    ["+db", "+other", "db done", "other done", "+cache", "cache done", "ready"];

const READY_STEPS: [&str; 4] = ["+announce", "announce done", "+check", "check done"];

const DRAIN_STEPS: [&str; 4] = ["+withdraw", "withdraw done", "+tell", "tell done"];

const STOP_STEPS: [&str; 8] =
    ["+flush", "+last", "last done", "flush done", "+clear", "clear done", "+close", "close done"];

#[tokio::test(start_paused = true)]
async fn a_signal_at_any_step_of_the_start_tears_down_exactly_what_started() {
    for step in START_STEPS {
        let ran = Scenario::new(PLAN, SLOW).signals(&[step]).run().await;
        for (started, teardown) in
            [("db done", "close done"), ("cache done", "clear done"), ("cache done", "flush done")]
        {
            assert_eq!(
                ran.count(started),
                ran.count(teardown),
                "signal at {step}: {started}, {teardown}"
            );
        }
        assert_eq!(ran.count("last done"), 1, "signal at {step}");
        let was_ready = ran.count("ready") == 1;
        assert_eq!(
            (ran.report.exit_code(), ran.report.interrupted),
            (0, !was_ready),
            "signal at {step}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_signal_at_any_step_of_the_ready_hooks_cancels_them_and_runs_all_of_the_stop() {
    for step in READY_STEPS {
        let ran = Scenario::new(PLAN, SLOW).signals(&[step]).run().await;
        assert_eq!(
            ran.count("announce done"),
            usize::from(step != "+announce"),
            "signal at {step}"
        );
        assert_eq!(ran.count("check done"), usize::from(step == "check done"), "signal at {step}");
        for done in
            ["withdraw done", "tell done", "flush done", "last done", "clear done", "close done"]
        {
            assert_eq!(ran.count(done), 1, "signal at {step}: {done}");
        }
        assert_eq!((ran.count("ready"), ran.report.exit_code()), (0, 0), "signal at {step}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_signal_at_any_step_of_the_stop_keeps_no_hook_from_running() {
    for step in DRAIN_STEPS.into_iter().chain(STOP_STEPS) {
        let ran = Scenario::new(PLAN, SLOW).signals(&["ready", step]).run().await;
        for hook in [
            "withdraw done",
            "tell done",
            "flush done",
            "last done",
            "clear done",
            "close done",
            "hurried",
        ] {
            assert_eq!(
                ran.count(hook),
                usize::from(hook != "hurried" || step != "close done"),
                "signal at {step}: {hook}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_during_the_start_runs_no_further_hook() {
    let ran = Scenario::new("start a; start b needs a; stop c of a; stop d", "a takes 10")
        .signals(&["+a"])
        .run()
        .await;
    ran.check(&["0 +a", "0 a cancelled", "0 +d", "0 c skipped", "0 d done"]);
    assert_eq!((ran.report.exit_code(), ran.report.error), (0, None));
    assert!(ran.report.interrupted);
}

#[tokio::test(start_paused = true)]
async fn a_stop_during_the_start_hides_no_failure_of_the_rollback() {
    let ran = Scenario::new("start a; stop b of a; start c needs a", "b fails; c hangs")
        .signals(&["+c"])
        .run()
        .await;
    assert_eq!((ran.report.exit_code(), ran.report.interrupted), (3, true));
}

#[tokio::test(start_paused = true)]
async fn a_startup_hook_that_takes_stop_has_its_timeout_to_end_by_itself() {
    // The hook is told to stop, and takes 300 ms to end well: its value is torn down.
    let plan = "start a stops timeout 1000; stop b of a; start other";
    let ran =
        Scenario::new(plan, "a runs and takes 300; other hangs").signals(&["+other"]).run().await;
    ran.check(&["0 +a", "0 +other", "0 other cancelled", "300 a done", "300 +b", "300 b done"]);
    assert_eq!((ran.report.exit_code(), ran.report.interrupted), (0, true));
    // Its timeout counts from the begin of the hook.
    let ran =
        Scenario::new(plan, "a runs and takes 5000; other hangs").signals(&["+other"]).run().await;
    ran.check(&["0 +a", "0 +other", "0 other cancelled", "1000 a timed out", "1000 b skipped"]);
    assert_eq!(ran.report.exit_code(), 3);
    // Without a timeout it has the time of the stop, and less when that is hurried.
    let plan = "start a stops; stop b timeout 2000";
    let ran = Scenario::new(plan, "a hangs").grace(10_000).signals(&["+a"]).run().await;
    ran.check(&["0 +a", "7400 a timed out", "7400 +b", "7400 b done"]);
    let ran = Scenario::new("start a stops; start other", "a hangs; other hangs");
    let ran = ran.grace(10_000).signals(&["+other", "other cancelled"]).run().await;
    ran.check(&["0 +a", "0 +other", "0 other cancelled", "0 hurried", "0 a cancelled"]);
}

#[tokio::test(start_paused = true)]
async fn a_ready_hook_that_takes_stop_ends_before_the_drain_hooks_begin() {
    let ran =
        Scenario::new("ready a stops; drain b", "a runs and takes 40").signals(&["+a"]).run().await;
    ran.check(&["0 +a", "40 a done", "40 +b", "40 b done"]);
    assert_eq!(ran.report.exit_code(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_was_asked_for_before_the_first_hook_runs_none_of_the_start() {
    for _ in 0..50 {
        let ran = Scenario::new("start a; start b; stop c of a", "a takes 10")
            .stopped_before()
            .run()
            .await;
        ran.check(&["0 c skipped"]);
        assert_eq!(ran.report.exit_code(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_signal_leaves_behind_what_can_not_be_cancelled() {
    let ran = Scenario::new("start a; start b; stop c", "a blocks until c done; b takes 1000")
        .signals(&["a has a thread", "b cancelled"])
        .run();
    let ran =
        tokio::time::timeout(std::time::Duration::from_secs(3600), ran).await.expect("it ends");
    assert_eq!((ran.count("a left behind"), ran.count("c done")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_start_that_is_interrupted_and_hurried_at_once_leaves_nothing_behind_that_can_end() {
    let ended = Scenario::new("start a; start b; stop c", "a hangs; b hangs")
        .signals(&["+b", "+b"])
        .run()
        .await;
    for line in ["a cancelled", "b cancelled", "c done"] {
        assert_eq!(ended.count(line), 1, "{line}");
    }
    assert_eq!(ended.report.exit_code(), 0);
}
