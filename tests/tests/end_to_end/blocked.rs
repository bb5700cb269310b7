//! Code that can't be cancelled: the process ends by its grace period nevertheless, and not before.

use std::time::Duration;

use crate::STARTED;
use crate::harness::{Ended, Program, Signal, program};
use crate::http::{Connection, Lost, request};

/// Grace period of a stop that needs all of it: a twentieth is left to report in, which a busy
/// machine has to have time for.
const GRACE: &str = "10s";

/// Shortest time of such a stop: all of the grace period except the time for the report.
const LEAST: Duration = Duration::from_millis(9_500);

/// Part of the line with which the watchdog ends a process before its run is over.
const WATCHDOG: &str = "exit at once";

/// Lines of a stop in which every thread is blocked. Hooks on the blocking pool run nevertheless.
/// The others are reported, each in its time: one that could not begin is not said to have hung.
const BLOCKED: [&str; 2] = [
    "done audit",
    "hook `close_db` (tests/src/bin/service.rs:65) did not run: every thread that could have run \
     it was blocked",
];

/// Line of the hook that blocks the others.
const BLOCKS: &str = "hook `flush` (tests/src/bin/service.rs:55) ran out of its share of the grace \
                      period, did not end and was abandoned";

#[test]
fn hooks_that_block_every_thread_in_the_stop_are_gone_by_grace() {
    let program = program!("service").args("flush=block").env("LIFECYCLE_GRACE", GRACE);
    let ended = program.start().ready().stop();
    ended
        .expect_code(3)
        .expect_took(LEAST)
        .expect_did(&[&STARTED[..], &["flush", "flush blocks", "audit"]].concat());
    ended.expect_said(&BLOCKED).expect_said(&[BLOCKS]).expect_not_said(&[WATCHDOG]);
}

#[test]
fn hooks_that_block_every_thread_in_the_start_are_gone_by_grace_after_a_signal() {
    let mut program = program!("service").args("warm=block").env("LIFECYCLE_GRACE", GRACE).start();
    program.wait_until_said("warm blocks");
    program.signal(Signal::SIGTERM);
    let ended = program.end();
    let did = [&STARTED[..], &["warm blocks", "audit", "cache dropped"]].concat();
    ended.expect_code(3).expect_took(LEAST).expect_did(&did);
    ended.expect_said(&BLOCKED).expect_not_said(&[WATCHDOG, "listening"]);
}

#[test]
fn hooks_that_block_every_thread_in_the_start_are_gone_by_its_timeout_and_grace() {
    let program = program!("service").args("warm=block").env("LIFECYCLE_GRACE", GRACE);
    let ended = program.env("LIFECYCLE_STARTUP_TIMEOUT", "4s").end();
    let did = [&STARTED[..], &["warm blocks", "audit", "cache dropped"]].concat();
    ended.expect_code(1).expect_took(Duration::from_secs(4) + LEAST).expect_did(&did);
    ended.expect_said(&[
        "hook `warm` (tests/src/bin/service.rs:50) ran into the startup timeout, did not end and \
         was abandoned",
    ]);
    ended.expect_said(&BLOCKED).expect_not_said(&[WATCHDOG, "listening"]);
}

#[test]
fn a_hook_that_others_keep_from_going_on_is_not_said_to_have_hung() {
    let program = program!("handlers").args("serve deregister").env("LIFECYCLE_GRACE", GRACE);
    let mut program = program.start();
    let address = program.address();
    program.signal(Signal::SIGTERM);
    program.wait_until_said("deregister");
    // Tasks of handlers run on the runtime of the hooks.
    let threads = std::thread::available_parallelism().map_or(2, |number| number.get().max(2));
    for _ in 0..threads {
        assert_eq!(request(&address, "POST /blocking").expect("it accepts").status, 202);
    }
    program.wait_until_said_times("blocking", threads);
    program.end().expect_code(3).expect_said(&[
        "hook `deregister` (",
        "could not go on in its time, as the threads that had to run it were blocked or busy",
    ]);
}

#[test]
fn a_hook_that_blocks_one_thread_keeps_no_other_from_running() {
    let program = program!("service").args("flush=block-one").env("LIFECYCLE_GRACE", "4s");
    let ended = program.start().ready().stop();
    ended.expect_code(3).expect_took(Duration::ZERO);
    ended.expect_did(&[&STARTED[..], &["flush", "audit", "close_db"]].concat());
    ended.expect_said(&["flush", "did not end and was abandoned"]);
}

#[test]
fn a_handler_that_blocks_its_worker_is_cut_off_by_grace() {
    let mut program = program!("service").env("LIFECYCLE_GRACE", "10s").start();
    let mut client = Connection::to(&program.address()).expect("it listens");
    client.send("GET /block").expect("it listens");
    program.wait_until_said("block");
    let ended = program.stop();
    assert!(matches!(client.response(), Err(Lost::Unanswered)));
    ended.expect_code(3).expect_said(&["request cut off: GET /block"]);
    ended.expect_did(
        &[&STARTED[..], &["block", "flush", "audit", "cache dropped", "close_db"]].concat(),
    );
    ended.expect_not_said(&[WATCHDOG]);
}

#[test]
fn a_worker_that_is_blocked_for_ever_is_told_of() {
    let mut program = program!("routes").env("LIFECYCLE_GRACE", "10s").start();
    let mut client = Connection::to(&program.address()).expect("it listens");
    client.send("GET /block").expect("it listens");
    program.wait_until_said("block");
    let ended = program.stop();
    // The report has to say that the teardown ran beside the handler.
    ended.expect_code(3).expect_said(&["request cut off: GET /block", "worker"]);
    ended.expect_did(&["block", "flush", "close_db"]);
    ended.expect_not_said(&[WATCHDOG]);
}

#[test]
fn a_blocked_worker_keeps_the_other_from_nothing() {
    let mut program = program!("routes").env("LIFECYCLE_GRACE", "10s").start();
    let address = program.address();
    // Workers get connections in turn, so some of these are on the other worker.
    let mut clients: Vec<_> =
        (0..4).map(|_| Connection::to(&address).expect("it listens")).collect();
    clients[0].send("GET /block").expect("it listens");
    program.wait_until_said("block");
    clients[1].send("GET /held/other").expect("it listens");
    program.wait_until_said("held other");
    program.signal(Signal::SIGTERM);
    program.wait_for("stopping");
    program.tell("other");
    assert_eq!(clients[1].response().expect("a response").body, "other");
    let ended = program.end();
    ended
        .expect_code(3)
        .expect_said(&["request cut off: GET /block", "1 request finished, 1 cut off"]);
    ended.expect_not_said(&[WATCHDOG]);
}

#[test]
fn a_teardown_waits_for_a_blocking_closure_that_outlives_its_request() {
    let mut program = program!("routes").env("LIFECYCLE_DRAIN_TIMEOUT", "1s").start();
    let mut client = Connection::to(&program.address()).expect("it listens");
    client.send("GET /blocking/long").expect("it listens");
    program.wait_until_said("blocking");
    program.signal(Signal::SIGTERM);
    assert!(matches!(client.response(), Err(Lost::Unanswered)));
    // The request is cut off. From now on the stop waits for the closure.
    program.wait_for("worker");
    program.tell("long");
    let ended = program.end();
    ended.expect_code(3).expect_said(&["request cut off: GET /blocking/long "]);
    let did = ended.did();
    assert_eq!((did[1], did.last()), ("blocking ended", Some(&"close_db")), "\n{ended}");
}

#[test]
fn a_blocking_closure_that_never_ends_is_told_of() {
    let start =
        program!("routes").env("LIFECYCLE_DRAIN_TIMEOUT", "1s").env("LIFECYCLE_GRACE", "10s");
    let mut program = start.start();
    let mut client = Connection::to(&program.address()).expect("it listens");
    client.send("GET /blocking/never").expect("it listens");
    program.wait_until_said("blocking");
    let ended = program.stop();
    ended.expect_code(3).expect_said(&["request cut off: GET /blocking/never ", "worker"]);
    ended.expect_did(&["blocking", "flush", "close_db"]);
    ended.expect_not_said(&[WATCHDOG]);
}

#[test]
fn a_hook_on_the_blocking_pool_in_the_start_is_left_behind_by_grace() {
    let mut program = program!("service").args("cache=hang").env("LIFECYCLE_GRACE", "10s").start();
    program.wait_until_said("cache");
    program.signal(Signal::SIGTERM);
    let ended = program.end();
    ended.expect_code(3).expect_did(&["db", "cache", "close_db"]);
    ended
        .expect_said(&["cache was cancelled, did not end and was abandoned"])
        .expect_not_said(&["listening"]);
    ended.expect_not_said(&[WATCHDOG]);
}

/// Kinds of wait of a hook, before another hook blocks the thread that it was on.
const WAITS: [&str; 2] = ["timer", "socket"];

fn blocks(place: &str, wait: &str, how: &str) -> Program {
    let start = program!("blocks").args(&format!("{place} {wait} {how}"));
    start.without_env("LIFECYCLE_BIND").env("LIFECYCLE_GRACE", "10s").start()
}

/// Checks that the hook that blocks was abandoned in its time, that every other one ran, and that
/// the value was torn down.
fn expect_given_up(ended: &Ended, place: &str, how: &str) {
    ended.expect_said(&[
        &format!("`{how}_{place}` ("),
        "ran into its timeout, did not end and was abandoned",
    ]);
    ended.expect_not_said(&[WATCHDOG]);
    let did = ended.did();
    assert!(["first", "blocks", "close_db"].iter().all(|said| did.contains(said)), "\n{ended}");
}

#[test]
fn a_hook_that_blocks_behind_or_beside_one_that_waited_fails_the_start_and_nothing_else() {
    for (place, wait, how) in pairs(&["start", "ready"]) {
        let ended = blocks(place, wait, how).end();
        ended.expect_code(1);
        expect_given_up(&ended, place, how);
    }
}

#[test]
fn a_hook_that_blocks_behind_or_beside_one_that_waited_keeps_none_of_the_stop_from_running() {
    for (place, wait, how) in pairs(&["drain", "stop"]) {
        let ended = blocks(place, wait, how).ready().stop();
        ended.expect_code(3);
        expect_given_up(&ended, place, how);
        assert!(ended.did().contains(&"last"), "\n{ended}");
    }
}

#[test]
fn a_hook_that_blocks_keeps_no_other_from_running_however_many_threads_there_are() {
    for threads in [2, 8, 16] {
        for (place, wait, how) in pairs(&["stop"]) {
            let ended = blocks(place, wait, &format!("{how} {threads}")).ready().stop();
            ended.expect_code(3);
            expect_given_up(&ended, place, how);
            assert!(ended.did().contains(&"last"), "{threads}\n{ended}");
        }
        let ended = blocks("start", "timer", &format!("behind {threads}")).end();
        ended.expect_code(1);
        expect_given_up(&ended, "start", "behind");
    }
}

fn pairs<'p>(
    places: &'p [&'static str],
) -> impl Iterator<Item = (&'static str, &'static str, &'static str)> + 'p {
    let hows = |place, wait| ["behind", "beside"].into_iter().map(move |how| (place, wait, how));
    places.iter().flat_map(move |&place| WAITS.into_iter().flat_map(move |wait| hows(place, wait)))
}

#[test]
fn a_hook_of_a_signal_that_blocks_behind_one_that_waited_keeps_none_from_running() {
    for wait in WAITS {
        let mut program = blocks("signal", wait, "behind").ready();
        program.signal(Signal::SIGHUP);
        program.wait_until_said("last");
        let ended = program.stop();
        expect_given_up(&ended, "signal", "behind");
    }
}

#[test]
fn a_hook_of_a_signal_that_blocks_beside_one_that_waits_keeps_it_from_nothing() {
    for wait in WAITS {
        let mut program = blocks("signal", wait, "beside").ready();
        program.signal(Signal::SIGUSR2);
        program.wait_until_said("blocks");
        program.signal(Signal::SIGHUP);
        program.wait_until_said("last");
        program.wait_for("did not end and was abandoned");
        let ended = program.stop();
        expect_given_up(&ended, "signal", "beside");
    }
}

#[test]
fn a_check_that_blocks_beside_one_that_waits_keeps_none_from_running() {
    for wait in WAITS {
        let mut program = blocks("check", wait, "beside").ready();
        program.wait_until_said("blocks");
        program.wait_for("did not end and was abandoned");
        program.wait_until_said_times("first", 5);
        let ended = program.stop();
        expect_given_up(&ended, "check", "beside");
    }
}

#[test]
fn a_service_that_blocks_behind_one_that_waited_keeps_none_from_running() {
    for wait in WAITS {
        let mut program = blocks("service", wait, "behind").ready();
        program.wait_until_said("blocks");
        program.wait_until_said_times("first", 5);
        let ended = program.stop();
        ended.expect_code(3);
        expect_given_up(&ended, "service", "behind");
    }
}

#[test]
fn a_service_that_blocks_beside_one_that_waits_keeps_none_from_running() {
    for wait in WAITS {
        let mut program = blocks("service", wait, "beside").ready();
        program.wait_until_said("blocks");
        program.wait_until_said_times("first", 5);
        let ended = program.stop();
        ended.expect_code(3);
        expect_given_up(&ended, "service", "beside");
    }
}
