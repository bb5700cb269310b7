//! Tests of signals at each step of a run with services.

use std::time::Duration;

use crate::event::{Limit, Outcome};
use crate::lifecycle::tests::scenario::Scenario;

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
        let ran = Scenario::new(PLAN, SLOW).signals(&[step]).run().await;
        for service in ["slow", "quick", "other"] {
            let (begun, told) =
                (ran.count(&format!("+{service}")), ran.count(&format!("-{service}")));
            let over =
                ran.count(&format!("{service} done")) + ran.count(&format!("{service} cancelled"));
            assert_eq!((told, over), (begun, begun), "signal at {step}: {service}");
        }
        for done in ["flush done", "close done"] {
            let count = usize::from(done == "flush done" || ran.count("db done") == 1);
            assert_eq!(ran.count(done), count, "signal at {step}: {done}");
        }
        assert_eq!(ran.report.exit_code(), 0, "signal at {step}");
        assert_eq!(ran.report.interrupted, step != "ready", "signal at {step}");
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
        let ran = Scenario::new(PLAN, SLOW).signals(&["ready", step]).run().await;
        for hook in ["withdraw", "early", "flush", "close"] {
            assert_eq!(ran.count(&format!("{hook} done")), 1, "signal at {step}: {hook}");
        }
        for service in ["slow", "quick", "other"] {
            let over =
                ran.count(&format!("{service} done")) + ran.count(&format!("{service} timed out"));
            assert_eq!(
                (ran.count(&format!("-{service}")), over),
                (1, 1),
                "signal at {step}: {service}"
            );
        }
        ran.check_order(&["-quick", "-slow", "+close", "close done"]);
        let hurried = ran.report.hooks.iter().filter(|hook| hook.outcome.is_failure());
        let limits: Vec<_> = hurried.map(|hook| hook.outcome.clone()).collect();
        assert!(
            limits
                .iter()
                .all(|outcome| *outcome == Outcome::TimedOut { limit: Limit::Hurry, ended: true }),
            "{limits:?}"
        );
        assert_eq!(
            ran.report.exit_code(),
            if limits.is_empty() { 0 } else { 3 },
            "signal at {step}"
        );
    }
    let plan = "service first after last; service last; stop flush";
    let ran =
        Scenario::new(plan, "first hangs; last hangs").signals(&["ready", "-first"]).run().await;
    ran.check_order(&["-first", "hurried", "first timed out", "-last", "last timed out", "+flush"]);
    assert!(ran.report.stop_took < Duration::from_millis(1), "{:?}", ran.report.stop_took);
    let ran = Scenario::new("service s; stop flush", "s hangs; flush takes 5")
        .signals(&["ready", "-s"])
        .run()
        .await;
    ran.check(&[
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
