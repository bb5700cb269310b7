//! Defaults that depend on where a program runs: in Kubernetes, in another container, or in
//! neither.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use lifecycle_tests::skipped;

use crate::harness::{Program, Signal, Start, own_address};
use crate::http::{Connection, request};
use crate::serve;

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
        // The pause waits for nothing: the requests come over two of the five seconds.
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
#[track_caller]
fn contained(start: impl Fn(Start) -> Start) -> Option<Program> {
    let script = "mount -t tmpfs none /run && touch /run/.containerenv && exec";
    let can = Command::new("unshare")
        .args(["--mount", "/bin/sh", "-c", &format!("{script} true")])
        .output();
    if !can.is_ok_and(|output| output.status.success()) {
        skipped("there is no `unshare` here, or it may mount nothing");
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
    // `docker stop` sends this signal, and kills the process 10 s later.
    let signalled = Instant::now();
    program.signal(Signal::SIGTERM);
    program.wait_until_said("10 rows saved");
    let took = signalled.elapsed();
    assert!(took < Duration::from_secs(10), "the rows were saved {took:?} after the signal");
    program.end().expect_said(&["in a container: grace is 9 s"]);
}
