//! Messages that appear once, from the console or from `tracing`, and the reason of a start that
//! failed, which appears in any case.

use crate::harness::{Ended, Signal, Start, program};

const CHAIN: &str = "failed: can't open the store: page 7 is unreadable: the disk is on fire";

/// Ways to write to stderr: arguments, and the setting of the console.
const OUTPUTS: [(&str, &str); 6] = [
    ("", "auto"),
    ("", "off"),
    ("log=info", "auto"),
    ("log=info", "off"),
    ("log=error", "auto"),
    ("log=error", "off"),
];

/// Returns the lines of the console.
fn lines_of_console(ended: &Ended) -> Vec<String> {
    ended
        .stderr()
        .lines()
        .filter(|line| line.starts_with("lifecycle: "))
        .map(str::to_owned)
        .collect()
}

/// Runs a program that starts nothing, or can't start, with each of the outputs. Checks that the
/// reason appears once, and that there is a line on stderr whatever the console is set to.
#[track_caller]
fn check(start: impl Fn() -> Start, code: i32, reason: &str) {
    for (args, console) in OUTPUTS {
        let ended = start().args(args).env("LIFECYCLE_CONSOLE", console).end();
        let of_console = lines_of_console(&ended);
        ended.expect_code(code);
        assert_eq!(
            ended.stderr().matches(reason).count(),
            1,
            "{args} {console}: {reason}\n{ended}"
        );
        assert!(!of_console.is_empty(), "{args} {console}\n{ended}");
        assert!(console == "auto" || of_console.len() == 1, "{args} {console}\n{ended}");
        // A run that did not even begin has no event.
        let is_traced = ended.stderr().contains("ERROR lifecycle_runtime: start failed");
        let is_written = of_console.iter().any(|line| line.contains(reason));
        assert_eq!(is_written, !is_traced, "{args} {console}\n{ended}");
    }
}

#[test]
fn a_hook_by_which_a_start_fails() {
    check(|| program!("service").args("db=fail"), 1, CHAIN);
    check(|| program!("service").args("db=panic"), 1, "panicked: db has no idea");
    check(|| program!("service").args("timed=hang"), 1, "ran into its timeout");
    check(|| program!("service").args("announce=fail"), 1, CHAIN);
    let late = || program!("service").args("warm=hang").env("LIFECYCLE_STARTUP_TIMEOUT", "500ms");
    check(late, 1, "ran into the startup timeout");
}

#[test]
fn a_hook_by_which_a_start_fails_in_a_program_with_a_runtime_of_its_own() {
    for mode in ["run", "run-inside", "multi", "current"] {
        for console in ["auto", "off"] {
            let start = program!("embedded").args(&format!("{mode} no-http begin=fail"));
            let start = start.without_env("LIFECYCLE_BIND").env("LIFECYCLE_CONSOLE", console);
            let ended = start.end();
            ended.expect_code(1);
            assert_eq!(
                ended.stderr().matches("failed: the disk is on fire").count(),
                1,
                "{mode} {console}\n{ended}"
            );
        }
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_plan_that_can_not_be_printed() {
    for console in ["auto", "off"] {
        let full = std::fs::File::options().write(true).open("/dev/full").expect("Linux");
        let start = program!("service").env("LIFECYCLE_PLAN", "text").stdout(full);
        let ended = start.env("LIFECYCLE_CONSOLE", console).end();
        ended.expect_code(1).expect_said(&["the plan can't be printed: No space left on device"]);
    }
}

#[test]
fn a_service_by_which_a_start_fails() {
    check(|| program!("services").args("queue=fail"), 1, CHAIN);
    check(|| program!("services").args("queue=panic"), 1, "panicked: queue has no idea");
    let late = || program!("services").args("queue=wait").env("LIFECYCLE_STARTUP_TIMEOUT", "500ms");
    check(late, 1, "ran into the startup timeout");
    // The last run of the service has failed, and it never became ready.
    let late = || program!("services").args("unready").env("LIFECYCLE_STARTUP_TIMEOUT", "500ms");
    check(late, 1, "ran into the startup timeout");
}

#[test]
fn an_app_that_can_not_be_built() {
    // The message of a panic on another thread could break a line of the console in two.
    let panics = || program!("service").args("app=panic").env("LIFECYCLE_WORKERS", "1");
    check(panics, 1, "building it panicked");
    check(|| program!("service").args("app=data"), 1, "a middleware of the app failed to start");
}

#[test]
fn an_address_that_is_in_use() {
    let mut taken = program!("service").start();
    let address = taken.address();
    let in_use = format!("can't listen on {address}");
    check(|| program!("service").env("LIFECYCLE_BIND", &address), 1, &in_use);
    check(|| program!("service").env("LIFECYCLE_ADMIN", &address), 1, &in_use);
    taken.stop().expect_code(0);
}

#[test]
fn a_mistake_in_the_configuration() {
    // The setting of the console is part of the configuration.
    for (args, console) in OUTPUTS {
        let start = program!("service").args(args).env("LIFECYCLE_CONSOLE", console);
        let ended = start.env("LIFECYCLE_GRACE", "soon").end();
        ended.expect_code(2).expect_said(&["lifecycle: LIFECYCLE_GRACE=soon: "]);
        assert_eq!(ended.stderr().matches("LIFECYCLE_GRACE=soon").count(), 1, "{ended}");
    }
}

#[test]
fn a_run_that_tracing_shows() {
    let mut program = program!("service").args("log=info flush=fail").start();
    program.wait_for("state state=ready");
    let ended = program.stop();
    ended.expect_code(3).expect_said(&["hook failed hook=\"flush\"", "run ended exit_code=3"]);
    assert_eq!(lines_of_console(&ended), Vec::<String>::new(), "{ended}");
    assert_eq!(ended.stderr().matches(CHAIN).count(), 1, "{ended}");
}

#[test]
fn a_run_of_which_tracing_shows_errors_only() {
    let ended = program!("service").args("log=error flush=fail").start().ready().stop();
    ended.expect_code(3).expect_said(&[
        "hook failed hook=\"flush\"",
        "run ended exit_code=3",
        "lifecycle: run flush",
    ]);
    assert_eq!(ended.stderr().matches(CHAIN).count(), 1, "{ended}");
}

#[test]
fn a_run_with_a_console_that_is_on_is_told_by_both() {
    let start = program!("service").args("log=info").env("LIFECYCLE_CONSOLE", "on");
    let ended = start.start().ready().stop();
    ended.expect_code(0).expect_said(&[
        "state state=ready",
        "hook done hook=\"db\"",
        "lifecycle: done db in ",
    ]);
}

#[test]
fn who_asks_is_answered_beside_tracing() {
    let mut program = program!("service").args("log=info").start();
    program.wait_for("state state=ready");
    program.signal(Signal::SIGUSR1);
    program.wait_for("lifecycle: ready for ");
    let ended = program.stop();
    ended.expect_code(0);
    assert_eq!(lines_of_console(&ended).len(), 1, "{ended}");
}
