//! Signals at every step of a run.

use super::stage::Play;

const PLAN: &str = "start db; start cache needs db; start other; stop close of db; stop clear of cache; stop flush needs cache; \
                    stop last order 1; ready announce needs cache; ready check after announce; drain withdraw needs cache; \
                    drain tell after withdraw";

const SLOW: &str = "db takes 10; other takes 15; cache takes 10; announce takes 10; check takes 10; withdraw takes 10; \
                    tell takes 10; flush takes 10; clear takes 10; close takes 10";

const START_STEPS: [&str; 7] = ["+db", "+other", "db done", "other done", "+cache", "cache done", "ready"];

const READY_STEPS: [&str; 4] = ["+announce", "announce done", "+check", "check done"];

const DRAIN_STEPS: [&str; 4] = ["+withdraw", "withdraw done", "+tell", "tell done"];

const STOP_STEPS: [&str; 8] =
    ["+flush", "+last", "last done", "flush done", "+clear", "clear done", "+close", "close done"];

#[tokio::test(start_paused = true)]
async fn a_signal_at_any_step_of_the_start_tears_down_exactly_what_started() {
    for step in START_STEPS {
        let played = Play::new(PLAN, SLOW).signals(&[step]).run().await;
        for (started, teardown) in
            [("db done", "close done"), ("cache done", "clear done"), ("cache done", "flush done")]
        {
            assert_eq!(played.count(started), played.count(teardown), "signal at {step}: {started}, {teardown}");
        }
        assert_eq!(played.count("last done"), 1, "signal at {step}");
        let was_ready = played.count("ready") == 1;
        assert_eq!(played.report.exit_code(), u8::from(!was_ready), "signal at {step}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_signal_at_any_step_of_the_ready_hooks_cancels_them_and_runs_all_of_the_stop() {
    for step in READY_STEPS {
        let played = Play::new(PLAN, SLOW).signals(&[step]).run().await;
        assert_eq!(played.count("announce done"), usize::from(step != "+announce"), "signal at {step}");
        assert_eq!(played.count("check done"), usize::from(step == "check done"), "signal at {step}");
        for done in ["withdraw done", "tell done", "flush done", "last done", "clear done", "close done"] {
            assert_eq!(played.count(done), 1, "signal at {step}: {done}");
        }
        assert_eq!((played.count("ready"), played.report.exit_code()), (0, 1), "signal at {step}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_signal_at_any_step_of_the_stop_keeps_no_hook_from_running() {
    for step in DRAIN_STEPS.into_iter().chain(STOP_STEPS) {
        let played = Play::new(PLAN, SLOW).signals(&["ready", step]).run().await;
        for hook in ["withdraw done", "tell done", "flush done", "last done", "clear done", "close done", "hurried"] {
            assert_eq!(
                played.count(hook),
                usize::from(hook != "hurried" || step != "close done"),
                "signal at {step}: {hook}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_during_the_start_runs_no_further_hook() {
    let played = Play::new("start a; start b needs a; stop c of a; stop d", "a takes 10").signals(&["+a"]).run().await;
    played.check(&["0 +a", "0 a cancelled", "0 +d", "0 c skipped", "0 d done"]);
    assert_eq!(played.report.exit_code(), 1);
    assert_eq!(played.report.error.as_deref(), Some("stopped: SIGTERM"));
}

#[tokio::test(start_paused = true)]
async fn a_second_signal_leaves_behind_what_can_not_be_cancelled() {
    let played = Play::new("start a; start b; stop c", "a blocks until c done; b takes 1000")
        .signals(&["a has a thread", "b cancelled"])
        .run();
    let played = tokio::time::timeout(std::time::Duration::from_secs(3600), played).await.expect("it ends");
    assert_eq!((played.count("a left behind"), played.count("c done")), (1, 1));
}
