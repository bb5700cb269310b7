//! Behaviour that operators take for granted: the sequence of a stop, bursts of signals, programs
//! that end by themselves, and defaults that depend on where they run.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use nix::unistd::Pid;

use crate::harness::{Program, Signal, Start, own_address, program, system};
use crate::http::{Connection, request};

const HOOKS: [&str; 3] = ["db", "flush", "close_db"];

fn serve(names: &str) -> Start {
    program!("handlers").args(&format!("serve {names}"))
}

#[test]
fn a_generous_timeout_of_a_teardown_leaves_requests_half_of_the_grace_period() {
    let mut program = serve("limited").env("LIFECYCLE_GRACE", "3s").start();
    let mut client = Connection::to(&program.address()).expect("it listens");
    client.send("GET /held").expect("it listens");
    program.wait_until_said("held");
    program.signal(Signal::SIGTERM);
    program.wait_for("stopping (SIGTERM), up to 3 s, requests up to 1.5 s");
    // By then a second has passed.
    program.wait_for("waiting for GET /held 1");
    program.tell("held");
    assert_eq!(client.response().expect("a response").body, "held");
    let ended = program.end();
    ended.expect_code(0).expect_said(&[
        "requests have 1.5 s of 3 s; after a full drain `limited` has",
        "0 cut off",
    ]);
}

#[test]
fn a_reserve_is_kept_beside_a_request_that_never_ends() {
    let mut program = serve("kept").env("LIFECYCLE_GRACE", "6s").start();
    let mut client = Connection::to(&program.address()).expect("it listens");
    client.send("GET /held").expect("it listens");
    program.wait_until_said("held");
    let ended = program.stop();
    ended.expect_code(3).expect_said(&["request cut off: GET /held"]);
    assert!(ended.did().contains(&"kept ended"), "\n{ended}");
}

#[test]
fn a_reserve_that_does_not_fit_is_refused() {
    let reserved = |grace| serve("reserved").env("LIFECYCLE_GRACE", grace);
    let ended = reserved("9s").end();
    ended.expect_code(2).expect_said(&[
        "need 8 s with their margins, and the grace period of 9 s leaves",
        "nothing was started",
    ]);
    reserved("9s").env("LIFECYCLE_DRAIN_TIMEOUT", "0s").start().ready().stop().expect_code(0);
    reserved("25s").start().ready().stop().expect_code(0);
}

#[test]
fn the_listener_accepts_until_the_drain_hooks_have_ended() {
    let mut program = serve("deregister").start();
    let address = program.address();
    program.signal(Signal::SIGTERM);
    program.wait_until_said("deregister");
    for _ in 0..100 {
        let response = request(&address, "GET /").expect("it still accepts");
        assert!(response.head.contains("\r\nconnection: close\r\n"), "{response:?}");
    }
    program.tell("deregister");
    let ended = program.end();
    ended.expect_code(0).expect_said(&["100 requests finished, 0 cut off"]);
    assert!(request(&address, "GET /").is_err(), "nobody listens");
}

#[test]
fn a_drain_hook_that_hangs_has_the_listener_accept_for_a_while_and_no_longer() {
    let mut program = serve("deregister").env("LIFECYCLE_GRACE", "10s").start();
    let address = program.address();
    let mut client = Connection::to(&address).expect("it listens");
    client.send("GET /held").expect("it listens");
    program.wait_until_said("held");
    program.signal(Signal::SIGTERM);
    program.wait_until_said("deregister");
    request(&address, "GET /").expect("it still accepts");
    program.wait_while(|| request(&address, "GET /").is_ok());
    // A request that has been in flight since before goes on.
    program.tell("held");
    assert_eq!(client.response().expect("a response").body, "held");
    let ended = program.end();
    ended.expect_code(3).expect_said(&["hook `deregister` (", "ran out of its share", "0 cut off"]);
    ended.expect_did(&["db", "held", "deregister", "flush", "close_db"]);
}

#[test]
fn a_hurried_stop_waits_for_the_drain_hooks_and_accepts_nothing_meanwhile() {
    let mut program = serve("deregister").start();
    let address = program.address();
    program.signal(Signal::SIGTERM);
    program.wait_until_said("deregister");
    program.signal(Signal::SIGTERM);
    program.wait_for("server closed");
    assert!(request(&address, "GET /").is_err(), "nobody listens");
    program.tell("deregister");
    program.end().expect_code(0).expect_did(&["db", "deregister", "flush", "close_db"]);
}

#[test]
fn the_drain_delay_follows_the_drain_hooks() {
    let mut program = serve("deregister").env("LIFECYCLE_DRAIN_DELAY", "1s").start().ready();
    program.signal(Signal::SIGTERM);
    program.wait_until_said("deregister");
    thread::sleep(Duration::from_millis(500));
    program.tell("deregister");
    let ended = program.end();
    assert!(ended.took >= Duration::from_millis(1_500), "{ended}");
    ended.expect_code(0);
}

#[test]
fn a_service_may_be_told_while_requests_are_served() {
    let mut program = serve("consumer").start();
    let mut client = Connection::to(&program.address()).expect("it listens");
    client.send("GET /held").expect("it listens");
    program.wait_until_said("held");
    program.signal(Signal::SIGTERM);
    program.wait_until_said("consumer stops");
    program.tell("held");
    assert_eq!(client.response().expect("a response").body, "held");
    program.end().expect_code(0).expect_did(&["db", "held", "consumer stops", "flush", "close_db"]);
}

#[test]
fn a_stop_that_is_sent_twice_at_once_cuts_nothing_off() {
    for pause in [0, 5, 50, 200] {
        let mut program = serve("").start();
        let mut client = Connection::to(&program.address()).expect("it listens");
        client.send("GET /held").expect("it listens");
        program.wait_until_said("held");
        program.signal(Signal::SIGTERM);
        program.wait_for("stopping (SIGTERM)");
        thread::sleep(Duration::from_millis(pause));
        program.signal_at_once(Signal::SIGINT);
        // The signal is of another kind, so that the program hears it by itself.
        program.wait_for("waiting for GET /held");
        program.tell("held");
        assert_eq!(client.response().expect("a response").body, "held");
        program.end().expect_code(0).expect_not_said(&["hurrying"]);
    }
}

#[test]
fn no_burst_of_signals_skips_a_hook() {
    let mut program = serve("deregister").start().ready();
    for _ in 0..50 {
        for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGHUP] {
            program.signal_at_once(signal);
        }
        thread::sleep(Duration::from_millis(20));
    }
    program.wait_until_said("deregister");
    program.tell("deregister");
    let ended = program.end();
    ended
        .expect_code(0)
        .expect_did(&["db", "deregister", "flush", "close_db"])
        .expect_not_said(&["third signal"]);
}

#[test]
fn a_terminal_that_is_gone_stops_it_as_sigterm_does() {
    if system::ignores(Pid::this(), Signal::SIGHUP) {
        eprintln!("SKIPPED, these tests were started by `nohup`: a terminal that is gone");
        return;
    }
    let mut program = serve("").start().ready();
    program.signal(Signal::SIGHUP);
    program.end().expect_code(0).expect_did(&HOOKS).expect_said(&["stopping (SIGHUP)"]);
}

#[test]
#[cfg(target_os = "linux")]
fn what_was_started_to_outlive_its_terminal_does() {
    let script = "trap '' HUP; exec \"$0\" serve";
    let mut program = Start::script(env!("CARGO_BIN_EXE_handlers"), script).start();
    let address = program.address();
    program.signal(Signal::SIGHUP);
    // The system ignores the signal, so nothing of it is on its way.
    assert_eq!(request(&address, "GET /").expect("a response").body, "ok");
    program.stop().expect_code(0).expect_did(&HOOKS).expect_not_said(&["SIGHUP"]);
}

#[test]
fn the_first_signal_after_a_stop_by_the_program_is_answered_and_hurries_nothing() {
    let mut program = serve("").start();
    let address = program.address();
    let mut client = Connection::to(&address).expect("it listens");
    client.send("GET /held").expect("it listens");
    program.wait_until_said("held");
    assert_eq!(request(&address, "POST /stop").expect("a response").body, "stopping");
    program.wait_for("stopping (requested by the program)");
    program.signal(Signal::SIGINT);
    program.wait_for("SIGINT: stopping already; again to hurry");
    program.tell("held");
    assert_eq!(client.response().expect("a response").body, "held");
    program.end().expect_code(0).expect_not_said(&["hurrying"]);
}

#[test]
fn the_first_signal_after_a_stop_by_a_service_is_answered_and_hurries_nothing() {
    let mut program = serve("feed").start();
    let mut client = Connection::to(&program.address()).expect("it listens");
    client.send("GET /held").expect("it listens");
    program.wait_until_said("held");
    program.tell("feed");
    program.wait_for("stopping (");
    program.signal(Signal::SIGINT);
    program.wait_for("SIGINT: stopping already; again to hurry");
    program.tell("held");
    assert_eq!(client.response().expect("a response").body, "held");
    let ended = program.end();
    ended.expect_code(3).expect_said(&["the feed has ended"]).expect_not_said(&["hurrying"]);
}

#[test]
fn a_health_check_that_reports_a_failure_ends_the_program_with_it() {
    let mut program = serve("index_check").start().ready();
    program.tell("index_check");
    let ended = program.end();
    ended.expect_code(3).expect_did(&HOOKS);
    ended.expect_said(&["stopping (the program failed: the index is broken)", "exit code 3"]);
}

#[test]
fn a_service_that_stops_the_program_at_once_is_no_failure() {
    for _ in 0..20 {
        let ended = program!("handlers").args("quits").end();
        ended.expect_code(0).expect_said(&["requested by the program"]);
        let did = ended.did();
        assert_eq!(did.contains(&"db"), did.contains(&"close_db"), "\n{ended}");
    }
}

#[test]
fn workers_that_wait_for_another_are_not_called_blocked() {
    for tracing in [false, true] {
        // One program has `tracing`, the other the console.
        let start = if tracing { program!("service").args("log=info") } else { serve("") };
        let mut program = start.env("LIFECYCLE_WORKERS", "4").start();
        let url = program.wait_for(if tracing { "listening url=" } else { "listening on" });
        let address = url.rsplit('/').next().expect("a URL").trim_matches('"');
        let mut client = Connection::to(address).expect("it listens");
        client.send("GET /held").expect("it listens");
        program.wait_until_said("held");
        program.signal(Signal::SIGTERM);
        // By this line the other workers have long had nothing left to do.
        program.wait_for_times("GET /held", 2);
        program.signal(Signal::SIGUSR1);
        program.wait_for("lifecycle:   GET /held");
        program.tell("held");
        assert_eq!(client.response().expect("a response").body, "held");
        let ended = program.end();
        ended.expect_code(0).expect_not_said(&["worker thread", "blocked"]);
    }
}

#[test]
fn a_program_that_reports_a_failure_ends_with_it() {
    let mut program = serve("").start();
    let address = program.address();
    assert_eq!(request(&address, "POST /fail").expect("a response").status, 500);
    let ended = program.end();
    ended.expect_code(3).expect_did(&HOOKS);
    ended.expect_said(&["stopping (the program failed: the disk is on fire)", "exit code 3"]);
    // A failure that is reported during the start makes the start fail.
    let ended = serve("db=report").end();
    ended.expect_code(1).expect_said(&["start failed: the program failed: the disk is on fire"]);
}

#[test]
fn a_failure_that_is_reported_during_a_stop_counts() {
    let mut program = serve("deregister").start();
    let address = program.address();
    program.signal(Signal::SIGTERM);
    program.wait_until_said("deregister");
    assert_eq!(request(&address, "POST /fail").expect("a response").status, 500);
    program.tell("deregister");
    let ended = program.end();
    ended
        .expect_code(3)
        .expect_said(&["stopping (SIGTERM)", "the program failed: the disk is on fire"]);
}

#[test]
fn hooks_learn_which_port_was_taken() {
    let mut program = serve("announce").start();
    let address = program.address();
    program.wait_until_said(&format!("at http://{address}"));
    program.stop().expect_code(0);
}

#[test]
fn a_program_without_a_server_ends_when_its_services_are_done() {
    let job = || program!("handlers").args("job").without_env("LIFECYCLE_BIND");
    let mut program = job().start().ready();
    program.tell("job");
    let ended = program.end();
    ended.expect_code(0).expect_did(&["db", "job done", "flush", "close_db"]);
    ended.expect_said(&["stopping (all services are done)"]);

    let mut program = job().env("LIFECYCLE_KEEP_RUNNING", "on").start().ready();
    program.tell("job");
    program.wait_for("done job");
    program.stop().expect_code(0).expect_said(&["stopping (SIGTERM)"]);
}

#[test]
fn a_ready_hook_that_stops_the_program_is_no_failure() {
    for _ in 0..20 {
        program!("handlers").args("ready").end().expect_code(0).expect_did(&HOOKS);
    }
}

#[test]
fn a_stop_before_the_run_starts_nothing() {
    for _ in 0..50 {
        let ended = program!("handlers").args("before").end();
        ended.expect_code(0).expect_did(&[]);
        ended.expect_said(&[
            "stopped before the start: requested by the program: nothing was started, exit code 0",
        ]);
    }
}

#[test]
fn a_failure_that_an_observer_of_the_end_reports_counts() {
    let observed = program!("handlers").args("observer").without_env("LIFECYCLE_BIND");
    let ended = observed.start().ready().stop();
    ended.expect_code(3).expect_said(&["the last metric is lost", "exit code 3"]);
}

#[test]
fn in_kubernetes_new_connections_are_accepted_for_a_while() {
    let start =
        || serve("").env("KUBERNETES_SERVICE_HOST", "10.0.0.1").without_env("LIFECYCLE_GRACE");
    let mut program = start().env("LIFECYCLE_BIND", own_address()).start();
    let address = program.address();
    program.signal(Signal::SIGTERM);
    program.wait_for("stopping (SIGTERM), up to 25 s");
    for _ in 0..20 {
        request(&address, "GET /").expect("it still accepts");
        thread::sleep(Duration::from_millis(100));
    }
    let ended = program.end();
    ended.expect_code(0).expect_took(Duration::from_secs(5));
    ended.expect_said(&["in Kubernetes: drain_delay is 5 s", "20 requests finished, 0 cut off"]);
    // A setting that somebody has made holds.
    let ended = start().env("LIFECYCLE_DRAIN_DELAY", "0s").start().ready().stop();
    ended.expect_code(0).expect_took(Duration::ZERO).expect_not_said(&["Kubernetes"]);
}

/// Starts a program in a place where a file says that it is a container of Podman's. Returns `None`
/// if no such place can be made.
fn contained(start: impl Fn(Start) -> Start) -> Option<Program> {
    let script = "mount -t tmpfs none /run && touch /run/.containerenv && exec";
    let can = Command::new("unshare")
        .args(["--mount", "/bin/sh", "-c", &format!("{script} true")])
        .output();
    if !can.is_ok_and(|output| output.status.success()) {
        eprintln!(
            "SKIPPED, there is no `unshare` here, or it may mount nothing: defaults in a container"
        );
        return None;
    }
    let script = format!("{script} \"$0\" serve save");
    let of =
        Start::unshared(env!("CARGO_BIN_EXE_handlers"), &script).without_env("LIFECYCLE_GRACE");
    Some(start(of).start().ready())
}

#[test]
#[cfg(target_os = "linux")]
fn in_a_container_the_grace_period_is_that_of_docker_stop() {
    let Some(program) = contained(|start| start) else { return };
    let ended = program.stop();
    ended
        .expect_code(0)
        .expect_said(&["in a container: grace is 9 s", "stopping (SIGTERM), up to 9 s"]);
    let Some(program) = contained(|start| start.env("LIFECYCLE_GRACE", "25s")) else { return };
    program.stop().expect_code(0).expect_said(&["up to 25 s"]).expect_not_said(&["in a container"]);
}

#[test]
#[cfg(target_os = "linux")]
fn a_container_that_is_killed_after_ten_seconds_has_lost_no_write_beside_a_long_request() {
    let Some(mut program) = contained(|start| start) else { return };
    let address = program.address();
    let mut client = Connection::to(&address).expect("it listens");
    client.send("GET /held").expect("it listens");
    program.wait_until_said("held");
    for _ in 0..10 {
        assert_eq!(request(&address, "POST /rows").expect("a response").status, 202);
    }
    // The signal is the one that `docker stop` sends.
    program.signal(Signal::SIGTERM);
    let killed = Instant::now() + Duration::from_secs(10);
    while Instant::now() < killed && !program.has_exited() {
        thread::sleep(Duration::from_millis(10));
    }
    assert!(program.has_said("10 rows saved"));
    if !program.has_exited() {
        program.signal_at_once(Signal::SIGKILL);
    }
    program.end().expect_said(&["in a container: grace is 9 s"]);
}
