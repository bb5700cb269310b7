//! Tests of services in a run: their start, the command to stop, and the effect of their failures.

use std::time::Duration;

use super::scenario::{Scenario, ScenarioRun};
use crate::event::{Limit, Outcome, ServiceState};
use crate::hook::stop::StopCause;

/// Returns the text of the last failure of the first service.
fn last_error(played: &ScenarioRun) -> String {
    played.report.services[0].last_error.as_ref().expect("a failure").to_string()
}

#[tokio::test(start_paused = true)]
async fn a_service_runs_from_the_start_until_it_is_told_and_has_ended() {
    let plan = "start db; service s needs db; ready announce after s; drain withdraw; stop flush; \
                stop close of db";
    let played =
        Scenario::new(plan, "db takes 10; s runs and takes 30; withdraw takes 5; flush takes 5")
            .run()
            .await;
    played.check(&[
        "0 +db",
        "10 db done",
        "10 +s",
        "10 s running",
        "10 +announce",
        "10 announce done",
        "10 ready",
        "10 +withdraw",
        "15 withdraw done",
        "15 -s",
        "45 s done",
        "45 +close",
        "45 +flush",
        "45 close done",
        "50 flush done",
    ]);
    assert_eq!(played.report.exit_code(), 0);
    let path: Vec<_> = played.report.stop_path.iter().map(|(hook, _)| hook.name()).collect();
    assert_eq!(path, ["withdraw", "s", "flush"]);
    let service = &played.report.services[0];
    assert_eq!(
        (&service.state, service.restarts, &service.last_error),
        (&ServiceState::Stopped, 0, &None)
    );
}

#[tokio::test(start_paused = true)]
async fn what_needs_a_service_waits_until_it_is_ready() {
    let plan = "service s handle; start client after s; service t after client; ready announce";
    let played = Scenario::new(plan, "s is ready after 50; t runs").run().await;
    played.check(&[
        "0 +s",
        "50 s running",
        "50 +client",
        "50 client done",
        "50 +t",
        "50 t running",
        "50 +announce",
        "50 announce done",
        "50 ready",
        "50 -t",
        "50 t done",
        "50 -s",
        "50 s done",
    ]);
    let path: Vec<_> = played.report.start_path.iter().map(|(hook, _)| hook.name()).collect();
    assert_eq!(path, ["s"]);
}

#[tokio::test(start_paused = true)]
async fn services_that_depend_on_services_stop_first() {
    let plan = "service a; service b after a; service c after b; service d; stop before_a before a";
    let behaviour =
        "a runs and takes 10; b runs and takes 10; c runs and takes 10; d runs and takes 10";
    let played = Scenario::new(plan, behaviour).run().await;
    played.check_order(&["-c", "c done", "-b", "b done", "-a", "a done"]);
    played.check_order(&["-d", "d done", "+before_a", "before_a done", "-a"]);
    assert_eq!(played.report.stop_took, Duration::from_millis(30));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_fails_for_good_stops_the_run_in_order() {
    let plan =
        "start db; service s needs db; service t; drain withdraw; stop close of db; stop flush";
    let played =
        Scenario::new(plan, "s fails; t runs and takes 10; close takes 5").signals(&[]).run().await;
    played.check_order(&["s running", "s failed", "close done"]);
    // The failure was during the start.
    assert_eq!(played.report.exit_code(), 1);
    assert_eq!(played.error().as_deref(), Some("hook `s` (app.rs:2) failed: s is broken"));

    let played = Scenario::new(
        &plan.replace("service s", "service s restart on_failure most 2/60000 backoff 100..100"),
        "s fails; t runs and takes 10; close takes 5",
    );
    let played = played.signals(&[]).run().await;
    played.check(&[
        "0 +db",
        "0 +t",
        "0 t running",
        "0 db done",
        "0 +s",
        "0 s running",
        "0 s backs off",
        "0 ready",
        "100 s running",
        "100 s backs off",
        "200 s running",
        "200 s failed",
        "200 +withdraw",
        "200 withdraw done",
        "200 +close",
        "200 -t",
        "205 close done",
        "210 t done",
        "210 +flush",
        "210 flush done",
    ]);
    let report = &played.report;
    assert_eq!(report.exit_code(), 3);
    let error = "hook `s` (app.rs:2) failed: 2 restarts within 1m did not help, the last run \
                 failed: s is broken";
    let Some(StopCause::Service { hook, outcome }) = &report.cause else { panic!("{report}") };
    assert_eq!(outcome.of(hook), error);
    assert!(report.to_string().starts_with(error), "{report}");
    assert_eq!(
        (&report.services[1].state, report.services[1].restarts),
        (&ServiceState::Failed, 2)
    );
}

#[tokio::test(start_paused = true)]
async fn a_service_that_ends_well_is_done_and_stops_nothing() {
    let played = Scenario::new("service s; stop flush after s", "s takes 10; flush takes 10")
        .signals(&["s done"])
        .run()
        .await;
    played.check(&["0 +s", "0 s running", "0 ready", "10 s done", "10 +flush", "20 flush done"]);
    assert_eq!(played.report.exit_code(), 0);
}

#[tokio::test(start_paused = true)]
async fn one_that_ends_well_before_it_is_ready_is_done_and_what_needs_it_starts() {
    let played = Scenario::new("service s handle; start client after s", "s ends").run().await;
    played.check(&["0 +s", "0 s done", "0 +client", "0 client done", "0 ready"]);
    assert_eq!(played.report.services[0].state, ServiceState::Stopped);
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_is_ignored_is_recorded_and_that_is_all() {
    let played = Scenario::new("service s exit ignore; stop flush", "s panics").run().await;
    played.check_order(&["s running", "s panicked", "+flush"]);
    assert_eq!((played.report.exit_code(), played.report.failures().count()), (0, 1));
    assert_eq!(last_error(&played), "panicked: s panics");
    // A service that hangs keeps the whole stop waiting.
    let played =
        Scenario::new("service s exit ignore timeout 50; stop flush", "s hangs").run().await;
    played.check_order(&["-s", "s timed out", "+flush"]);
    assert_eq!(played.report.exit_code(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_start_goes_on_without_a_service_that_it_can_do_without() {
    let plan = "service s exit ignore handle; start a after s; stop flush after s; stop close of a";
    let played = Scenario::new(plan, "s fails").run().await;
    played.check(&[
        "0 +s",
        "0 s failed",
        "0 +a",
        "0 a done",
        "0 ready",
        "0 +close",
        "0 close done",
        "0 flush skipped",
    ]);
    assert_eq!(played.report.exit_code(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_start_that_a_service_never_let_end_says_why() {
    let plan =
        "service s restart on_failure most 10/60000 backoff 100..100 handle; start a after s";
    let played = Scenario::new(plan, "s fails").startup_timeout(250).run().await;
    let reason = "hook `s` (app.rs:1) ran into the startup timeout and was cancelled; its last run \
                  failed: s is broken (2 restarts)";
    assert_eq!(played.error().as_deref(), Some(reason));
    // A service that hangs has no error to report.
    let played = Scenario::new(plan, "s hangs").startup_timeout(250).run().await;
    let reason = "hook `s` (app.rs:1) ran into the startup timeout and was cancelled";
    assert_eq!(played.error().as_deref(), Some(reason));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_fails_before_it_is_ready_is_a_failed_start() {
    let plan = "start db; service s needs db handle; start a after s; start slow; stop close of \
                db; stop flush";
    let played = Scenario::new(plan, "s fails; slow hangs").run().await;
    played.check(&[
        "0 +db",
        "0 +slow",
        "0 db done",
        "0 +s",
        "0 s failed",
        "0 slow cancelled",
        "0 +close",
        "0 +flush",
        "0 close done",
        "0 flush done",
    ]);
    assert_eq!(played.error().as_deref(), Some("hook `s` (app.rs:2) failed: s is broken"));
    assert_eq!(played.report.exit_code(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_service_has_the_time_of_the_start_to_be_ready() {
    // The second service ends well when it is told that it is too late.
    for (keys, does) in
        [("", "s hangs"), ("", "s runs"), ("exit ignore", "s hangs"), ("exit ignore", "s runs")]
    {
        let plan = format!("service s {keys} handle timeout 10");
        let played = Scenario::new(&plan, does).startup_timeout(500).run().await;
        played.check(&["0 +s", "500 -s", "500 s timed out"]);
        assert_eq!(
            played.report.hooks[0].outcome,
            Outcome::TimedOut { limit: Limit::StartupTimeout, ended: true }
        );
        assert_eq!(played.report.exit_code(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn each_service_that_is_not_ready_in_time_has_run_into_the_startup_timeout() {
    let plan = "service s handle timeout 10; service t handle timeout 10";
    let played = Scenario::new(plan, "s hangs; t hangs").startup_timeout(500).run().await;
    for hook in &played.report.hooks {
        let limit = Limit::StartupTimeout;
        assert_eq!(hook.outcome, Outcome::TimedOut { limit, ended: true }, "{}", hook.hook.name());
    }
    assert_eq!(played.report.hooks.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_start_that_fails_stops_the_services_that_run() {
    let plan = "start db; service s needs db; service t handle timeout 20; start a after s; stop \
                close of db";
    let played =
        Scenario::new(plan, "s runs and takes 10; t hangs; a takes 5; a fails").run().await;
    assert_eq!(played.report.exit_code(), 1);
    played.check_order(&["a failed", "t timed out", "s done", "+close"]);
    played.check_order(&["+s", "s running", "-s", "s done"]);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_not_ready_has_its_time_to_end_when_the_start_is_given_up() {
    for (does, time, line) in [
        ("s runs and takes 300", 300, "s cancelled"),
        ("s runs and takes 3000", 500, "s timed out"),
        ("s is ready after 10", 10, "s done"),
    ] {
        let played = Scenario::new("service s handle timeout 500; start a", does)
            .signals(&["a done"])
            .run()
            .await;
        assert_eq!(played.times(line).len(), 1, "{does}");
        assert_eq!(played.times(line)[0].as_millis(), time, "{does}");
        assert_eq!(played.report.exit_code(), if time == 500 { 3 } else { 0 }, "{does}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_does_not_end_is_cancelled_when_its_time_is_up() {
    let plan = "start db; service s needs db timeout 300; stop close of db";
    let played = Scenario::new(plan, "s hangs").run().await;
    played.check(&[
        "0 +db",
        "0 db done",
        "0 +s",
        "0 s running",
        "0 ready",
        "0 -s",
        "300 s timed out",
        "300 +close",
        "300 close done",
    ]);
    assert_eq!(
        played.report.hooks[1].outcome,
        Outcome::TimedOut { limit: Limit::Timeout, ended: true }
    );
    assert_eq!(played.report.exit_code(), 3);
    assert_eq!(played.report.services[0].state, ServiceState::Failed);
}

#[tokio::test(start_paused = true)]
async fn one_without_a_timeout_leaves_what_is_behind_it_its_time() {
    let plan = "start db; service s needs db; stop close of db timeout 3000";
    let played = Scenario::new(plan, "s hangs; close takes 2900").grace(10_000).run().await;
    played.check_order(&["-s", "s timed out", "+close", "close done"]);
    assert_eq!(played.report.stop_took, Duration::from_millis(9_310));
}

#[tokio::test(start_paused = true)]
async fn a_thread_that_does_not_end_is_left_behind_and_told_of() {
    let played = Scenario::new("service s timeout 300; stop flush", "s blocks until flush done");
    let played = played.run().await;
    played.check_order(&["-s", "s abandoned", "+flush", "flush done"]);
    assert_eq!(played.report.exit_code(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_fails_as_it_stops_fails_the_run_and_holds_nothing_up() {
    let played =
        Scenario::new("service s restart always; stop flush", "s runs and fails").run().await;
    played.check(&[
        "0 +s",
        "0 s running",
        "0 ready",
        "0 -s",
        "0 s failed",
        "0 +flush",
        "0 flush done",
    ]);
    assert_eq!(played.report.exit_code(), 3);
    assert_eq!(played.report.cause, Some(StopCause::Signal("SIGTERM")));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_backs_off_when_it_is_told_is_done() {
    let plan = "service s restart on_failure backoff 60000..60000; stop flush";
    let played = Scenario::new(plan, "s fails").signals(&["s backs off"]).run().await;
    played.check_order(&["s backs off", "-s", "s done", "+flush"]);
    assert!(played.report.stop_took < Duration::from_millis(1), "{:?}", played.report.stop_took);
    assert_eq!(last_error(&played), "failed: s is broken");
}

const PLAN: &str = "start db; service slow needs db handle; service quick after slow; service \
                    other; ready announce after quick; \
                    drain withdraw after quick; stop early before quick; stop flush; stop close of \
                    db";

const SLOW: &str = "db takes 10; slow is ready after 10; quick runs and takes 10; other runs and \
                    takes 25; announce takes 10; \
                    withdraw takes 10; early takes 10; flush takes 10; close takes 10";

#[tokio::test(start_paused = true)]
async fn a_signal_at_any_step_of_the_start_stops_exactly_the_services_that_run() {
    let steps = [
        "+db",
        "+other",
        "other running",
        "db done",
        "+slow",
        "slow running",
        "+quick",
        "quick running",
        "+announce",
        "announce done",
        "ready",
    ];
    for step in steps {
        let played = Scenario::new(PLAN, SLOW).signals(&[step]).run().await;
        for service in ["slow", "quick", "other"] {
            let (begun, told) =
                (played.count(&format!("+{service}")), played.count(&format!("-{service}")));
            let over = played.count(&format!("{service} done"))
                + played.count(&format!("{service} cancelled"));
            assert_eq!((told, over), (begun, begun), "signal at {step}: {service}");
        }
        for done in ["flush done", "close done"] {
            let count = usize::from(done == "flush done" || played.count("db done") == 1);
            assert_eq!(played.count(done), count, "signal at {step}: {done}");
        }
        assert_eq!(played.report.exit_code(), 0, "signal at {step}");
        assert_eq!(played.report.interrupted, step != "ready", "signal at {step}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_signal_at_any_step_of_the_stop_waits_for_no_service_and_for_every_hook() {
    let steps = [
        "+withdraw",
        "withdraw done",
        "-other",
        "+early",
        "early done",
        "-quick",
        "other done",
        "quick done",
        "-slow",
        "slow done",
        "+flush",
        "flush done",
        "+close",
    ];
    for step in steps {
        let played = Scenario::new(PLAN, SLOW).signals(&["ready", step]).run().await;
        for hook in ["withdraw", "early", "flush", "close"] {
            assert_eq!(played.count(&format!("{hook} done")), 1, "signal at {step}: {hook}");
        }
        for service in ["slow", "quick", "other"] {
            let over = played.count(&format!("{service} done"))
                + played.count(&format!("{service} timed out"));
            assert_eq!(
                (played.count(&format!("-{service}")), over),
                (1, 1),
                "signal at {step}: {service}"
            );
        }
        played.check_order(&["-quick", "-slow", "+close", "close done"]);
        let hurried = played.report.hooks.iter().filter(|hook| hook.outcome.is_failure());
        let limits: Vec<_> = hurried.map(|hook| hook.outcome.clone()).collect();
        assert!(
            limits
                .iter()
                .all(|outcome| *outcome == Outcome::TimedOut { limit: Limit::Hurry, ended: true }),
            "{limits:?}"
        );
        assert_eq!(
            played.report.exit_code(),
            if limits.is_empty() { 0 } else { 3 },
            "signal at {step}"
        );
    }
    let plan = "service first after last; service last; stop flush";
    let played =
        Scenario::new(plan, "first hangs; last hangs").signals(&["ready", "-first"]).run().await;
    played.check_order(&[
        "-first",
        "hurried",
        "first timed out",
        "-last",
        "last timed out",
        "+flush",
    ]);
    assert!(played.report.stop_took < Duration::from_millis(1), "{:?}", played.report.stop_took);
    let played = Scenario::new("service s; stop flush", "s hangs; flush takes 5")
        .signals(&["ready", "-s"])
        .run()
        .await;
    played.check(&[
        "0 +s",
        "0 s running",
        "0 ready",
        "0 -s",
        "0 hurried",
        "0 s timed out",
        "0 +flush",
        "5 flush done",
    ]);
}

#[tokio::test(start_paused = true)]
async fn a_long_stop_says_that_it_waits_for_services_and_a_long_start_for_those_that_are_not_ready()
{
    let played = Scenario::new(
        "service s; service t; stop flush",
        "s runs and takes 2500; t runs and takes 1500",
    )
    .run()
    .await;
    assert_eq!(played.waits(), [vec!["s", "t"], vec!["s"]]);
    let played =
        Scenario::new("service s handle; service t", "s is ready after 6000; t runs").run().await;
    assert_eq!(played.waits(), [vec!["s"]]);
}

#[tokio::test(start_paused = true)]
async fn a_service_may_be_told_at_the_beginning_of_the_drain() {
    let plan =
        "service consumer told drain timeout 2000; service outbox; drain withdraw; stop last";
    let played =
        Scenario::new(plan, "consumer runs and takes 100; outbox runs; withdraw takes 500")
            .run()
            .await;
    played.check_order(&[
        "-consumer",
        "consumer done",
        "withdraw done",
        "-outbox",
        "outbox done",
        "+last",
    ]);
    assert_eq!(played.times("-consumer"), played.times("+withdraw"));
    assert_eq!(played.report.exit_code(), 0);
    // Its time counts from the command to stop.
    let played = Scenario::new(plan, "consumer hangs; outbox runs; withdraw takes 500").run().await;
    assert_eq!(played.times("consumer timed out"), [Duration::from_millis(2_000)]);
    let played =
        Scenario::new(plan, "consumer hangs; outbox runs; withdraw takes 3000").run().await;
    assert_eq!(played.times("consumer timed out"), [Duration::from_millis(2_000)]);
    assert_eq!(played.count("consumer timed out"), 1);
    assert_eq!(played.report.exit_code(), 3);
    // A hurried stop no longer waits for it.
    let played = Scenario::new(plan, "consumer hangs; outbox runs; withdraw takes 1000")
        .signals(&["ready", "+withdraw"])
        .run()
        .await;
    assert_eq!(played.times("consumer timed out"), [Duration::ZERO]);
    assert_eq!(played.times("withdraw done"), [Duration::from_millis(1_000)]);
}

#[tokio::test(start_paused = true)]
async fn a_program_ends_when_all_its_services_are_done() {
    let plan = "service a; service b exit ignore; ready c; stop last";
    let played = Scenario::new(plan, "a takes 30; b fails; c takes 10")
        .signals(&[])
        .ends_with_services()
        .run()
        .await;
    assert_eq!(played.times("+last"), [Duration::from_millis(30)]);
    assert_eq!(played.report.cause, Some(StopCause::ServicesDone));
    assert_eq!((played.report.exit_code(), played.report.interrupted), (0, false));
    // Services that have ended before the run is ready count, too.
    let played = Scenario::new("service a; ready c", "c takes 10")
        .signals(&[])
        .ends_with_services()
        .run()
        .await;
    assert_eq!((played.count("c done"), played.report.exit_code()), (1, 0));
    // Without services there is nothing that could be done.
    let played =
        Scenario::new("start a; start b", "").signals(&["ready"]).ends_with_services().run().await;
    assert_eq!(played.report.cause, Some(StopCause::Signal("SIGTERM")));
}

#[tokio::test(start_paused = true)]
async fn whatever_is_told_of_hooks_of_one_name_tells_them_apart() {
    let plan = "start store::db; start cache::db; service store::sync; service cache::sync; stop \
                store::close timeout 10";
    let plan = format!("{plan}; stop cache::close; ready store::warm; ready cache::warm");
    let behaviours = "store::sync runs; cache::sync is ready after 5, fails; store::close hangs; \
                      cache::close fails";
    let played = Scenario::new(&plan, behaviours).run().await;
    for line in
        ["+store::db", "cache::db done", "store::sync running", "-store::sync", "+store::warm"]
    {
        assert_eq!(played.count(line), 1, "{line}");
    }
    let report = played.report.to_string();
    for text in [
        "hook `store::close` (app.rs:5) ",
        "hook `cache::close` (app.rs:6) failed: cache::close is broken",
    ] {
        assert!(report.contains(text), "no {text} in {report}");
    }
}
