//! Tests of the phases between the start and the stop: the moments at which the server listens, and
//! at which it drains.

use std::time::Duration;

use super::scenario::{Scenario, ScenarioRun};
use crate::event::{Limit, Outcome};

#[tokio::test(start_paused = true)]
async fn ready_hooks_run_between_the_last_startup_hook_and_ready() {
    let plan = "start a; start b; ready c needs a; ready d; ready e after d; stop f of a";
    let ran = Scenario::new(plan, "b takes 10; c takes 30; d takes 10").run().await;
    ran.check(&[
        "0 +a",
        "0 +b",
        "0 a done",
        "10 b done",
        "10 +c",
        "10 +d",
        "20 d done",
        "20 +e",
        "20 e done",
        "40 c done",
        "40 ready",
        "40 +f",
        "40 f done",
    ]);
    assert_eq!(ran.report.exit_code(), 0);
    assert_eq!(ran.report.start_took, Duration::from_millis(40));
}

#[tokio::test(start_paused = true)]
async fn drain_hooks_run_when_the_stop_begins_and_shutdown_hooks_once_they_have_ended() {
    let plan = "start db; stop close of db; stop flush; drain withdraw; drain tell needs db; drain \
                last order 1";
    let ran = Scenario::new(plan, "withdraw takes 10; tell takes 20").run().await;
    ran.check(&[
        "0 +db",
        "0 db done",
        "0 ready",
        "0 +tell",
        "0 +withdraw",
        "10 withdraw done",
        "20 tell done",
        "20 +last",
        "20 last done",
        "20 +close",
        "20 +flush",
        "20 close done",
        "20 flush done",
    ]);
    assert_eq!(ran.states(), ["starting", "ready", "draining", "stopping", "stopped"]);
    assert_eq!(ran.report.exit_code(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_drain_delay_follows_the_drain_hooks() {
    for (delay, takes, over) in [(100, 30, 130), (30, 100, 130)] {
        let ran = Scenario::new("drain a; stop b", &format!("a takes {takes}"))
            .drain_delay(delay)
            .run()
            .await;
        let (a, b) = (format!("{takes} a done"), format!("{over} +b"));
        ran.check(&["0 ready", "0 +a", &a, &b, &format!("{over} b done")]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_critical_paths_go_through_all_phases() {
    let names = |path: &[(&'static crate::hook::HookMeta, Duration)]| -> Vec<_> {
        path.iter().map(|(hook, _)| hook.name()).collect()
    };
    let behaviour = "a takes 10; b takes 5; c takes 20; d takes 30; e takes 10";
    let scenario = || Scenario::new("start a; start b; ready c; drain d; stop e", behaviour);
    let ran = scenario().run().await;
    assert_eq!(names(&ran.report.start_path), ["a", "c"]);
    assert_eq!(names(&ran.report.stop_path), ["d", "e"]);
    // Here the delay takes the time, and not the hook before it.
    assert_eq!(names(&scenario().drain_delay(100).run().await.report.stop_path), ["e"]);
}

#[tokio::test(start_paused = true)]
async fn a_value_that_nobody_can_use_ends_with_its_hook() {
    let plan = "start a; ready b; drain c; stop d needs a";
    let behaviour = "a has a value; b has a value; c has a value; d has a value";
    let ran = Scenario::new(plan, behaviour).run().await;
    ran.check(&[
        "0 +a",
        "0 a done",
        "0 +b",
        "0 b dropped",
        "0 b done",
        "0 ready",
        "0 +c",
        "0 c dropped",
        "0 c done",
        "0 +d",
        "0 d dropped",
        "0 d done",
        "0 a dropped",
    ]);
}

#[tokio::test(start_paused = true)]
async fn a_value_that_nobody_can_use_and_whose_drop_panics_fails_its_hook_only() {
    let plan = "ready a; drain b; drain c after b; stop d; stop e after d";
    let ran =
        Scenario::new(plan, "b has a value that panics; d has a value that panics").run().await;
    for done in ["a done", "b panicked", "c done", "d panicked", "e done"] {
        assert_eq!(ran.count(done), 1, "{done}");
    }
    assert_eq!(ran.report.exit_code(), 3);
}

/// Checks a start that has come to listening, and then failed.
fn check_failed_when_ready(ran: &ScenarioRun, error: &str) {
    assert_eq!(ran.error().as_deref(), Some(error));
    assert_eq!(ran.states(), ["starting", "draining", "stopping", "stopped"]);
    assert_eq!(ran.report.exit_code(), 1);
}

const PLAN: &str = "start db; stop close of db; ready a timeout 50; ready b; ready c after a; \
                    drain withdraw needs db; stop flush";

#[tokio::test(start_paused = true)]
async fn a_ready_hook_that_fails_is_a_failed_start_that_is_drained() {
    let ran = Scenario::new(PLAN, "a fails; b hangs; withdraw takes 10").run().await;
    ran.check(&[
        "0 +db",
        "0 db done",
        "0 +a",
        "0 +b",
        "0 a failed",
        "0 b cancelled",
        "0 +withdraw",
        "10 withdraw done",
        "10 +close",
        "10 +flush",
        "10 close done",
        "10 flush done",
    ]);
    check_failed_when_ready(&ran, "hook `a` (app.rs:3) failed: a is broken");

    let ran = Scenario::new(PLAN, "b panics").run().await;
    check_failed_when_ready(&ran, "hook `b` (app.rs:4) panicked: b panics");
    assert_eq!(
        (ran.count("withdraw done"), ran.count("close done"), ran.count("ready")),
        (1, 1, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn a_ready_hook_has_its_own_timeout_and_what_is_left_of_that_of_the_start() {
    let own = Scenario::new(PLAN, "db takes 10; a hangs").run().await;
    check_failed_when_ready(&own, "hook `a` (app.rs:3) ran into its timeout and was cancelled");
    assert_eq!((own.count("+c"), own.report.start_took), (0, Duration::from_millis(60)));

    let whole = Scenario::new(PLAN, "db takes 80; b hangs").startup_timeout(100).run().await;
    check_failed_when_ready(
        &whole,
        "hook `b` (app.rs:4) ran into the startup timeout and was cancelled",
    );
    assert_eq!(whole.report.start_took, Duration::from_millis(100));
}

#[tokio::test(start_paused = true)]
async fn a_hook_of_the_start_that_next_to_no_time_is_left_for_is_not_begun() {
    for (plan, last) in [
        ("start a; start b after a; stop close of a", "b"),
        ("start a; service s after a; stop close of a", "s"),
        ("start a; ready b; ready c after b; stop close of a", "c"),
    ] {
        let does = "a takes 50; b takes 50; s runs";
        let limit = if last == "c" { 100 } else { 50 };
        let run_with = |micros| {
            Scenario::new(plan, does).startup_timeout(limit).startup_timeout_later(micros).run()
        };
        let ran = run_with(500).await;
        assert_eq!((ran.count(&format!("+{last}")), ran.count("close done")), (0, 1));
        assert_eq!(ran.report.exit_code(), 1);
        let error = ran.error().expect("a reason");
        assert!(error.starts_with(&format!("hook `{last}` (app.rs:")), "{error}");
        assert!(error.ends_with("did not run: no time was left of the startup timeout"), "{error}");
        let began = run_with(1_500).await;
        assert_eq!(began.count(&format!("+{last}")), 1, "{plan}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_before_the_ready_hooks_are_done_interrupts_the_start() {
    let ran = Scenario::new(PLAN, "b hangs").signals(&["+b"]).run().await;
    assert_eq!(ran.states(), ["starting", "draining", "stopping", "stopped"]);
    assert_eq!((ran.report.exit_code(), ran.report.interrupted), (0, true));
    assert_eq!(
        (ran.count("b cancelled"), ran.count("withdraw done"), ran.count("close done")),
        (1, 1, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn drain_hooks_begin_once_no_ready_hook_runs_any_more() {
    let plan = "ready announce; ready check; drain withdraw; stop last";
    let behaviour = "announce blocks until check failed; check fails once announce has a thread";
    let ran = Scenario::new(plan, behaviour).run().await;
    ran.check_order(&[
        "check failed",
        "announce done",
        "+withdraw",
        "withdraw done",
        "+last",
        "last done",
    ]);
    // Nothing can cancel `announce`, and paused time stands still while it runs.
    let behaviour = "announce blocks until last done; check fails once announce has a thread";
    let ran = Scenario::new(plan, behaviour).signals(&["check failed", "check failed"]).run().await;
    ran.check_order(&[
        "check failed",
        "announce left behind",
        "+withdraw",
        "withdraw done",
        "+last",
        "last done",
    ]);
}

#[tokio::test(start_paused = true)]
async fn a_start_that_fails_before_it_listens_runs_no_drain_hook() {
    let ran = Scenario::new("start a; ready b; drain c; stop d", "a fails").run().await;
    ran.check(&["0 +a", "0 a failed", "0 +d", "0 d done"]);
}

#[tokio::test(start_paused = true)]
async fn no_failure_of_a_drain_hook_keeps_another_hook_from_running() {
    let plan = "start db; stop close of db; drain a needs db; drain b after a; drain c after b \
                timeout 40; drain d after c";
    let ran = Scenario::new(plan, "a fails; b panics; c hangs").run().await;
    ran.check(&[
        "0 +db",
        "0 db done",
        "0 ready",
        "0 +a",
        "0 a failed",
        "0 +b",
        "0 b panicked",
        "0 +c",
        "40 c timed out",
        "40 +d",
        "40 d done",
        "40 +close",
        "40 close done",
    ]);
    assert_eq!((ran.report.exit_code(), ran.report.failures().count()), (3, 3));
    let json: serde_json::Value =
        serde_json::from_str(&ran.report.to_json()).expect("a JSON object");
    assert_eq!(json["hooks"][1]["kind"], "on_drain");
}

#[tokio::test(start_paused = true)]
async fn drain_hooks_leave_those_behind_them_their_time() {
    let plan = "drain a; drain b after a timeout 1000; stop close timeout 3000";
    let ran = Scenario::new(plan, "a hangs; b hangs; close takes 2900").grace(10_000).run().await;
    ran.check(&[
        "0 ready",
        "0 +a",
        "5310 a timed out",
        "5310 +b",
        "6310 b timed out",
        "6310 +close",
        "9210 close done",
    ]);
    assert_eq!(ran.report.hooks[0].outcome, Outcome::TimedOut { limit: Limit::Grace, ended: true });
}

#[tokio::test(start_paused = true)]
async fn timeouts_that_do_not_fit_starve_no_phase() {
    let plan = "drain a timeout 20000; drain b after a timeout 20000; stop c timeout 8000";
    let ran = Scenario::new(plan, "a hangs; b hangs; c hangs").grace(10_000).run().await;
    let took: Vec<_> = ran.report.hooks.iter().map(|hook| hook.took.as_millis()).collect();
    assert!(took[0] >= 2_250 && took[1] >= 2_250 && took[2] >= 4_800, "{took:?}");
    assert!(ran.report.stop_took < Duration::from_secs(10), "{:?}", ran.report.stop_took);
}

#[tokio::test(start_paused = true)]
async fn a_hurry_cuts_the_delay_and_no_drain_hook() {
    let ran = Scenario::new("drain a timeout 900; stop b", "a takes 800")
        .signals(&["ready", "+a"])
        .drain_delay(5_000)
        .run()
        .await;
    ran.check(&["0 ready", "0 +a", "0 hurried", "800 a done", "800 +b", "800 b done"]);
    assert_eq!(ran.report.exit_code(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_long_drain_says_every_second_what_it_waits_for() {
    let ran = Scenario::new("drain a; drain b; stop c", "a takes 2500; b takes 1500").run().await;
    assert_eq!(ran.waits(), [vec!["a", "b"], vec!["a"]]);
}

#[tokio::test(start_paused = true)]
async fn a_hook_knows_how_much_time_it_has_in_every_phase() {
    let plan = "start a; start b timeout 3000; ready c; service s timeout 2000; drain d; stop e \
                timeout 1000; stop f after e";
    let does = "a asks; b asks; c asks; s runs; d asks; e asks; f asks";
    let ran = Scenario::new(plan, does).grace(10_000).startup_timeout(20_000).run().await;
    let has = |name: &str, millis: u32| ran.count(&format!("{name} has Some({millis})"));
    // `a` and `c` have the time of the start, `b` has its own timeout.
    assert_eq!((has("a", 20_000), has("b", 3_000), has("c", 20_000)), (1, 1, 1));
    // The steps behind a hook of the stop keep their own time: `s`, `e` and `f`, and the time in
    // which they may be abandoned. `d` may be abandoned, too, and the report has 500 ms.
    assert_eq!(
        (has("d", 10_000 - 500 - 2_100 - 1_100 - 1_000 - 91), has("e", 1_000), has("f", 9_500)),
        (1, 1, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_runs_beside_the_phases_knows_how_much_time_it_has() {
    let plan = "start a; service s timeout 2000; service u; check c timeout 400 every 300; \
                check e every 300; signal g on SIGHUP timeout 700; signal h on SIGUSR2; \
                stop z timeout 500";
    let does = "s asks when stopped; u asks; c asks; e asks; g asks; h asks";
    let ran = Scenario::new(plan, does)
        .grace(10_000)
        .startup_timeout(20_000)
        .signals(&["ready -> SIGHUP SIGUSR2", "h done -> stop"])
        .run()
        .await;
    let asked: Vec<_> = ran.lines().filter(|line| line.contains(" has ")).collect();
    assert_eq!(
        asked,
        [
            // `u` has the time of the start.
            "u has Some(20000)",
            // These have their own timeouts; a health check has a second by default.
            "c has Some(400)",
            "e has Some(1000)",
            "g has Some(700)",
            // `h` may run as long as the process serves.
            "h has None",
            "s has Some(2000)",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_hook_of_the_start_knows_its_time_as_soon_as_the_stop_begins() {
    let plan = "ready a stops; ready b; drain c timeout 5500";
    let ended =
        Scenario::new(plan, "a asks when the stop begins; b fails").grace(10_000).run().await;
    // The report has 500 ms, `c` keeps 5.6 s, and `a` may be abandoned in 100 ms.
    assert_eq!(ended.count("a has Some(3800)"), 2);
}
