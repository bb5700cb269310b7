//! Tests of services in a run: their start, the command to stop, and the effect of their failures.

mod signals;
mod start;
mod stop;

use std::time::Duration;

use super::scenario::Scenario;
use crate::event::ServiceState;
use crate::hook::stop::StopCause;

#[tokio::test(start_paused = true)]
async fn a_service_runs_from_the_start_until_it_is_told_and_has_ended() {
    let plan = "start db; service s needs db; ready announce after s; drain withdraw; stop flush; \
                stop close of db";
    let ran =
        Scenario::new(plan, "db takes 10; s runs and takes 30; withdraw takes 5; flush takes 5")
            .run()
            .await;
    ran.check(&[
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
    assert_eq!(ran.report.exit_code(), 0);
    let path: Vec<_> = ran.report.stop_path.iter().map(|(hook, _)| hook.name()).collect();
    assert_eq!(path, ["withdraw", "s", "flush"]);
    let service = &ran.report.services[0];
    assert_eq!(
        (&service.state, service.restarts, &service.last_error),
        (&ServiceState::Stopped, 0, &None)
    );
}

#[tokio::test(start_paused = true)]
async fn what_needs_a_service_waits_until_it_is_ready() {
    let plan = "service s handle; start client after s; service t after client; ready announce";
    let ran = Scenario::new(plan, "s is ready after 50; t runs").run().await;
    ran.check(&[
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
    let path: Vec<_> = ran.report.start_path.iter().map(|(hook, _)| hook.name()).collect();
    assert_eq!(path, ["s"]);
}

#[tokio::test(start_paused = true)]
async fn services_that_depend_on_services_stop_first() {
    let plan = "service a; service b after a; service c after b; service d; stop before_a before a";
    let behaviour =
        "a runs and takes 10; b runs and takes 10; c runs and takes 10; d runs and takes 10";
    let ran = Scenario::new(plan, behaviour).run().await;
    ran.check_order(&["-c", "c done", "-b", "b done", "-a", "a done"]);
    ran.check_order(&["-d", "d done", "+before_a", "before_a done", "-a"]);
    assert_eq!(ran.report.stop_took, Duration::from_millis(30));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_fails_for_good_stops_the_run_in_order() {
    let plan =
        "start db; service s needs db; service t; drain withdraw; stop close of db; stop flush";
    let ran =
        Scenario::new(plan, "s fails; t runs and takes 10; close takes 5").signals(&[]).run().await;
    ran.check_order(&["s running", "s failed", "close done"]);
    // The failure was during the start.
    assert_eq!(ran.report.exit_code(), 1);
    assert_eq!(ran.error().as_deref(), Some("hook `s` (app.rs:2) failed: s is broken"));

    let ran = Scenario::new(
        &plan.replace("service s", "service s restart on_failure most 2/60000 backoff 100..100"),
        "s fails; t runs and takes 10; close takes 5",
    );
    let ran = ran.signals(&[]).run().await;
    ran.check(&[
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
    let report = &ran.report;
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
    let ran = Scenario::new("service s; stop flush after s", "s takes 10; flush takes 10")
        .signals(&["s done"])
        .run()
        .await;
    ran.check(&["0 +s", "0 s running", "0 ready", "10 s done", "10 +flush", "20 flush done"]);
    assert_eq!(ran.report.exit_code(), 0);
}

#[tokio::test(start_paused = true)]
async fn one_that_ends_well_before_it_is_ready_is_done_and_what_needs_it_starts() {
    let ran = Scenario::new("service s handle; start client after s", "s ends").run().await;
    ran.check(&["0 +s", "0 s done", "0 +client", "0 client done", "0 ready"]);
    assert_eq!(ran.report.services[0].state, ServiceState::Stopped);
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_is_ignored_is_recorded_and_that_is_all() {
    let ran = Scenario::new("service s exit ignore; stop flush", "s panics").run().await;
    ran.check_order(&["s running", "s panicked", "+flush"]);
    assert_eq!((ran.report.exit_code(), ran.report.failures().count()), (0, 1));
    assert_eq!(ran.last_error(), "panicked: s panics");
    // A service that hangs keeps the whole stop waiting.
    let ran = Scenario::new("service s exit ignore timeout 50; stop flush", "s hangs").run().await;
    ran.check_order(&["-s", "s timed out", "+flush"]);
    assert_eq!(ran.report.exit_code(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_program_ends_when_all_its_services_are_done() {
    let plan = "service a; service b exit ignore; ready c; stop last";
    let ran = Scenario::new(plan, "a takes 30; b fails; c takes 10")
        .signals(&[])
        .ends_with_services()
        .run()
        .await;
    assert_eq!(ran.times("+last"), [Duration::from_millis(30)]);
    assert_eq!(ran.report.cause, Some(StopCause::ServicesDone));
    assert_eq!((ran.report.exit_code(), ran.report.interrupted), (0, false));
    // Services that have ended before the run is ready count, too.
    let ran = Scenario::new("service a; ready c", "c takes 10")
        .signals(&[])
        .ends_with_services()
        .run()
        .await;
    assert_eq!((ran.count("c done"), ran.report.exit_code()), (1, 0));
    // Without services there is nothing that could be done.
    let ran =
        Scenario::new("start a; start b", "").signals(&["ready"]).ends_with_services().run().await;
    assert_eq!(ran.report.cause, Some(StopCause::Signal("SIGTERM")));
}

#[tokio::test(start_paused = true)]
async fn whatever_is_told_of_hooks_of_one_name_tells_them_apart() {
    let plan = "start store::db; start cache::db; service store::sync; service cache::sync; stop \
                store::close timeout 10";
    let plan = format!("{plan}; stop cache::close; ready store::warm; ready cache::warm");
    let behaviours = "store::sync runs; cache::sync is ready after 5, fails; store::close hangs; \
                      cache::close fails";
    let ran = Scenario::new(&plan, behaviours).run().await;
    for line in
        ["+store::db", "cache::db done", "store::sync running", "-store::sync", "+store::warm"]
    {
        assert_eq!(ran.count(line), 1, "{line}");
    }
    let report = ran.report.to_string();
    for text in [
        "hook `store::close` (app.rs:5) ",
        "hook `cache::close` (app.rs:6) failed: cache::close is broken",
    ] {
        assert!(report.contains(text), "no {text} in {report}");
    }
}
