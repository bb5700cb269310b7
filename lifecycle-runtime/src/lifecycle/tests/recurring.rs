//! Tests of hooks that run again and again: their begin, their repetition and their end.

use super::scenario::Scenario;
use crate::event::Outcome;

#[tokio::test(start_paused = true)]
async fn checks_are_spread_over_their_interval_and_keep_their_rhythm() {
    let plan = "check a every 900; check b every 900; check c every 900";
    let ran = Scenario::new(plan, "a takes 50; b takes 50; c takes 50");
    let ran = ran.signals(&["a done -> -", "a done -> -", "a done"]).run().await;
    ran.check(&[
        "0 +a",
        "0 +b",
        "0 +c",
        "50 a done",
        "50 b done",
        "50 c done",
        "50 ready",
        "350 +b",
        "400 b done",
        "650 +c",
        "700 c done",
        "950 +a",
        "1000 a done",
        "1250 +b",
        "1300 b done",
        "1550 +c",
        "1600 c done",
        "1850 +a",
        "1900 a done",
    ]);
    let runs: Vec<_> =
        ran.report.recurring.iter().map(|hook| (hook.hook.name(), hook.runs)).collect();
    assert_eq!(runs, [("a", 3), ("b", 3), ("c", 3)]);
    assert_eq!(ran.report.exit_code(), 0);
}

#[tokio::test(start_paused = true)]
async fn checks_of_several_intervals_each_keep_their_own() {
    let ran = Scenario::new("check a every 1000; check b every 300", "")
        .signals(&["a done -> -", "a done"])
        .run()
        .await;
    ran.check(&[
        "0 +a",
        "0 +b",
        "0 a done",
        "0 b done",
        "0 ready",
        "150 +b",
        "150 b done",
        "450 +b",
        "450 b done",
        "750 +b",
        "750 b done",
        "1000 +a",
        "1000 a done",
    ]);
}

#[tokio::test(start_paused = true)]
async fn failures_count_when_there_are_enough_in_a_row_and_one_success_ends_them() {
    let ran = Scenario::new(
        "check ping every 100 failures 2",
        "ping passes, passes, fails, panics, hangs, passes, fails, passes",
    );
    // The check that hangs takes the second that a health check has by default.
    let ran = ran.signals(&["ping healthy -> -", "ping done -> -", "ping done"]).run().await;
    ran.check(&[
        "0 +ping",
        "0 ping done",
        "0 ready",
        "100 +ping",
        "100 ping done",
        "200 +ping",
        "200 ping failed",
        "300 +ping",
        "300 ping panicked",
        "300 ping unhealthy",
        "400 +ping",
        "1400 ping timed out",
        "1400 +ping",
        "1400 ping done",
        "1400 ping healthy",
        "1500 +ping",
        "1500 ping failed",
        "1600 +ping",
        "1600 ping done",
        "1700 +ping",
        "1700 ping done",
    ]);
    let ping = &ran.report.recurring[0];
    assert_eq!((ping.runs, ping.failures), (9, 4));
    let broken = Outcome::Failed { error: "ping is broken".to_owned() };
    assert_eq!(ping.last_error, Some(broken));
    // A process that was unhealthy for a while has still stopped well.
    assert_eq!(ran.report.exit_code(), 0);
}

#[tokio::test(start_paused = true)]
async fn readiness_checks_run_once_side_by_side_before_the_run_is_ready() {
    let plan =
        "start db; ready warm; check a needs db; check b timeout 200; check alive kind liveness";
    let behaviours = "warm takes 10; a takes 100; b hangs";
    let ran = Scenario::new(plan, behaviours).signals(&["alive done"]).run().await;
    ran.check(&[
        "0 +db",
        "0 db done",
        "0 +warm",
        "10 warm done",
        "10 +a",
        "10 +b",
        "110 a done",
        "210 b timed out",
        "210 b unhealthy",
        "210 ready",
        // This is a third of the interval, as there are three such checks.
        "3544 +alive",
        "3544 alive done",
    ]);
    assert_eq!(ran.report.exit_code(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_first_failure_of_a_readiness_check_counts_until_it_has_passed_once() {
    let plan = "check ping every 100 failures 2";
    let ran = Scenario::new(plan, "ping fails, fails, passes, fails, passes");
    let ran = ran.signals(&["ping done -> -", "ping done"]).run().await;
    ran.check(&[
        "0 +ping",
        "0 ping failed",
        "0 ping unhealthy",
        "0 ready",
        "100 +ping",
        "100 ping failed",
        "200 +ping",
        "200 ping done",
        "200 ping healthy",
        "300 +ping",
        "300 ping failed",
        "400 +ping",
        "400 ping done",
    ]);
    assert_eq!(ran.report.exit_code(), 0);
}

#[tokio::test(start_paused = true)]
async fn first_runs_of_checks_keep_neither_a_stop_nor_the_end_of_the_start_waiting() {
    let plan = "check ping timeout 9000";
    let stopped = Scenario::new(plan, "ping hangs").signals(&["+ping"]).run().await;
    stopped.check(&["0 +ping", "0 ping cancelled"]);
    assert_eq!((stopped.report.exit_code(), stopped.report.interrupted), (0, true));
    let late = Scenario::new(plan, "ping hangs").startup_timeout(500).signals(&["ping timed out"]);
    late.run().await.check(&["0 +ping", "500 ready", "9000 ping timed out", "9000 ping unhealthy"]);
    // A start that fails before its readiness checks has none.
    let failed =
        Scenario::new("start db; check ping needs db", "db fails").signals(&[]).run().await;
    failed.check(&["0 +db", "0 db failed"]);
}

#[tokio::test(start_paused = true)]
async fn a_start_tells_that_it_waits_for_a_readiness_check() {
    let ran =
        Scenario::new("check ping timeout 9000", "ping takes 8000").signals(&["ready"]).run().await;
    assert_eq!(ran.waits(), [["ping"]]);
}

#[tokio::test(start_paused = true)]
async fn checks_of_the_startup_run_as_soon_as_what_they_need_is_there_until_they_pass() {
    let plan = "start db; start slow needs db; check warm kind startup every 100 needs db; check \
                ping every 1000";
    let behaviours = "db takes 10; slow takes 250; warm fails, fails, fails, passes";
    let ran = Scenario::new(plan, behaviours).signals(&["ping done -> -", "ping done"]).run().await;
    ran.check(&[
        "0 +db",
        "10 db done",
        "10 +slow",
        "10 +warm",
        "10 warm failed",
        "110 +warm",
        "110 warm failed",
        "210 +warm",
        "210 warm failed",
        "210 warm unhealthy",
        "260 slow done",
        "260 +ping",
        "260 ping done",
        "260 ready",
        "310 +warm",
        "310 warm done",
        "310 warm healthy",
        "1260 +ping",
        "1260 ping done",
    ]);
}

#[tokio::test(start_paused = true)]
async fn a_check_of_the_startup_waits_for_a_service_that_it_needs() {
    let plan = "service s handle; start slow; check warm kind startup after s";
    let ran = Scenario::new(plan, "s is ready after 50; slow takes 100").run().await;
    ran.check_order(&["+s", "s running", "+warm", "warm done", "slow done", "ready", "-s"]);
}

#[tokio::test(start_paused = true)]
async fn what_recurs_has_ended_before_a_service_that_it_needs_is_told() {
    let plan = "service s; check ping after s; signal reload on SIGHUP after s";
    let behaviours = "s runs; ping passes, hangs; reload takes 100";
    let ran = Scenario::new(plan, behaviours)
        .signals(&["+ping -> -", "+ping -> SIGHUP", "+reload"])
        .run()
        .await;
    ran.check_order(&["+reload", "ping cancelled", "reload done", "-s", "s done"]);
}

#[tokio::test(start_paused = true)]
async fn no_check_runs_when_its_values_end() {
    let plan = "start db; check ping needs db; check warm kind startup needs db; drain withdraw; \
                stop close of db";
    let behaviours = "ping hangs; warm hangs; withdraw takes 10";
    let ran = Scenario::new(plan, behaviours).signals(&["+ping"]).run().await;
    ran.check_order(&["+ping", "ping cancelled", "withdraw done", "+close"]);
    ran.check_order(&["+warm", "warm cancelled", "+close"]);
    assert_eq!(ran.report.exit_code(), 0);
}

#[tokio::test(start_paused = true)]
async fn no_check_runs_when_a_start_is_given_up() {
    let plan = "start db; start slow needs db; check ping needs db; check warm kind startup needs \
                db; stop close of db";
    let ran = Scenario::new(plan, "slow hangs; warm hangs").signals(&["+warm"]).run().await;
    ran.check_order(&["+warm", "warm cancelled", "+close"]);
    assert_eq!(ran.count("+ping"), 0);
    let early = Scenario::new("start db; check warm kind startup needs db", "db hangs")
        .signals(&["+db"])
        .run()
        .await;
    assert_eq!(early.count("+warm"), 0);
}

#[tokio::test(start_paused = true)]
async fn hooks_of_a_signal_run_one_after_the_other_and_beside_those_of_another() {
    let plan = "signal a on SIGHUP after b; signal b on SIGHUP; signal c on SIGHUP; signal other \
                on SIGUSR2";
    let ran = Scenario::new(plan, "a takes 10; b takes 10; c takes 10; other takes 15");
    let ran = ran.signals(&["ready -> SIGHUP SIGUSR2", "a done"]).run().await;
    ran.check(&[
        "0 ready",
        "0 +b",
        "0 +other",
        "10 b done",
        "10 +c",
        "15 other done",
        "20 c done",
        "20 +a",
        "30 a done",
    ]);
}

#[tokio::test(start_paused = true)]
async fn signals_that_arrive_meanwhile_are_one_more_run() {
    let ran = Scenario::new("signal a on SIGHUP; signal b on SIGHUP", "a takes 10; b takes 10");
    let meanwhile = ["ready -> SIGHUP SIGHUP", "+a -> SIGHUP", "a done -> SIGHUP", "+b -> SIGHUP"];
    // The second run is over, and no signal has come since.
    let ran = ran.signals(&[&meanwhile[..], &["b done -> -", "b done"]].concat()).run().await;
    ran.check(&[
        "0 ready",
        "0 +a",
        "10 a done",
        "10 +b",
        "20 b done",
        "20 +a",
        "30 a done",
        "30 +b",
        "40 b done",
    ]);
    assert_eq!(ran.report.recurring.iter().map(|hook| hook.runs).sum::<u64>(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_hook_of_a_signal_that_fails_stops_nothing() {
    let plan =
        "signal a on SIGHUP; signal b on SIGHUP after a; signal c on SIGHUP after b timeout 100";
    let ran = Scenario::new(plan, "a fails, passes; b panics, passes; c hangs, passes");
    let ran = ran.signals(&["ready -> SIGHUP", "c timed out -> SIGHUP", "c done"]).run().await;
    ran.check(&[
        "0 ready",
        "0 +a",
        "0 a failed",
        "0 +b",
        "0 b panicked",
        "0 +c",
        "100 c timed out",
        "100 +a",
        "100 a done",
        "100 +b",
        "100 b done",
        "100 +c",
        "100 c done",
    ]);
    assert_eq!(ran.report.exit_code(), 0);
    assert_eq!(ran.report.recurring[0].failures, 1);
}

#[tokio::test(start_paused = true)]
async fn a_signal_during_the_start_is_heard_when_it_is_over() {
    let plan = "start db; ready announce; signal reload on SIGHUP needs db";
    let ran = Scenario::new(plan, "db takes 10; announce takes 10");
    let ran = ran.signals(&["+db -> SIGHUP", "+announce -> SIGHUP", "reload done"]).run().await;
    ran.check(&[
        "0 +db",
        "10 db done",
        "10 +announce",
        "20 announce done",
        "20 ready",
        "20 +reload",
        "20 reload done",
    ]);
}

#[tokio::test(start_paused = true)]
async fn the_stop_lets_a_hook_of_a_signal_finish_and_begins_no_other() {
    let plan = "start db; signal a on SIGHUP needs db; signal b on SIGHUP after a; drain withdraw; \
                stop close of db";
    let ran = Scenario::new(plan, "a takes 500")
        .signals(&["ready -> SIGHUP", "+a -> SIGHUP stop"])
        .run()
        .await;
    ran.check(&[
        "0 +db",
        "0 db done",
        "0 ready",
        "0 +a",
        "0 +withdraw",
        "0 withdraw done",
        "500 a done",
        "500 +close",
        "500 close done",
    ]);
}

#[tokio::test(start_paused = true)]
async fn the_stop_waits_for_a_hook_of_a_signal_no_longer_than_the_shutdown_hooks_can_wait() {
    let plan = "start db; signal a on SIGHUP needs db; stop close of db timeout 3000";
    let ran = Scenario::new(plan, "a hangs")
        .signals(&["ready -> SIGHUP", "+a"])
        .grace(10_000)
        .run()
        .await;
    // The report has 500 ms, `close` 3 s, and `a` 100 ms in case that it does not end.
    ran.check(&[
        "0 +db",
        "0 db done",
        "0 ready",
        "0 +a",
        "6400 a cancelled",
        "6400 +close",
        "6400 close done",
    ]);

    let timed = Scenario::new(&plan.replace("needs db;", "needs db timeout 200;"), "a hangs");
    let timed = timed.signals(&["ready -> SIGHUP", "+a"]).grace(10_000).run().await;
    timed.check(&[
        "0 +db",
        "0 db done",
        "0 ready",
        "0 +a",
        "200 a timed out",
        "200 +close",
        "200 close done",
    ]);
}

#[tokio::test(start_paused = true)]
async fn a_second_signal_to_stop_cancels_a_hook_of_a_signal() {
    let plan = "start db; signal a on SIGHUP needs db; drain withdraw; stop close of db";
    let ran = Scenario::new(plan, "a hangs; withdraw takes 10");
    let ran = ran.signals(&["ready -> SIGHUP", "+a", "withdraw done"]).run().await;
    ran.check_order(&["withdraw done", "hurried", "a cancelled", "+close"]);
    assert!(ran.report.stop_took.as_millis() < 100, "{:?}", ran.report.stop_took);
}

#[tokio::test(start_paused = true)]
async fn a_run_without_recurring_hooks_reports_none() {
    let ran = Scenario::new("start a; stop b", "").run().await;
    assert!(ran.report.recurring.is_empty());
}
