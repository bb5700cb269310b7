//! Stops at a distance, as each kind of client sees them, with the round trip time, bandwidth and
//! loss of a real network.
//!
//! Each test has a server and its clients on both sides of a rig (`lifecycle_tests::rig`), at every
//! distance and with every protocol that it is about, all of them at the same time. The clients'
//! view counts: the report and the exit code have to say the same.
#![cfg(target_os = "linux")]

mod bodies;
#[expect(dead_code, reason = "the soak needs more of it")]
mod clients;
mod connecting;
mod deadline;
mod events;
#[expect(
    dead_code,
    unused_imports,
    reason = "the distance tests need less of it than the end-to-end tests"
)]
#[path = "../end_to_end/harness/mod.rs"]
mod harness;
mod http2;
mod idle;
mod in_flight;
mod large;
mod late;
mod loops;
mod site;
mod streams;
mod vanished;
mod websocket;

use std::fmt::Display;
use std::thread;
use std::time::Duration;

use clients::Protocol;
use lifecycle_tests::rig::{Link, unavailable};
use lifecycle_tests::skipped;

/// Round trip times, in milliseconds: a data centre, a city, a continent, an ocean, a phone.
const DISTANCES: [u64; 5] = [1, 10, 40, 100, 300];

/// Default of the quiet window.
const WINDOW: Duration = Duration::from_millis(250);

/// Time that a stop may take beyond what it waits for, on a machine that has other things to do.
const SLACK: Duration = Duration::from_secs(2);

/// Runs a check at each of these distances with each of these protocols, all at the same time.
#[track_caller]
fn at_each(distances: &[u64], protocols: &[Protocol], check: impl Fn(Protocol, Link) + Sync) {
    let cases = distances
        .iter()
        .flat_map(|rtt| protocols.iter().map(|protocol| (*protocol, Link::rtt(*rtt))));
    for_each(
        cases,
        |(protocol, link)| format!("{protocol}, {link}"),
        |(protocol, link)| check(protocol, link),
    );
}

/// Quiet window where packets are lost. A lost packet is sent again, and comes later than the
/// default expects. An operator who knows the network sets a longer window.
const LOSSY_WINDOW: Duration = Duration::from_secs(3);

/// Seeds of losses, one packet in a hundred, that meet the first packets of a rig, as a connection
/// of these tests has few packets.
const SEEDS: [u64; 4] = [0, 1, 28, 31];

/// Runs a check on a narrow way, on a wider one, and on some that lose packets, with each of these
/// protocols, all at the same time.
#[track_caller]
fn at_each_way(protocols: &[Protocol], check: impl Fn(Protocol, Link) + Sync) {
    let wide = Link::rtt(40).bandwidth(10_000_000);
    let lossy = SEEDS.map(|seed| wide.clone().loss(0.01, seed));
    let ways = [Link::rtt(40).bandwidth(1_000_000), wide].into_iter().chain(lossy);
    let cases = ways.flat_map(|way| protocols.iter().map(move |protocol| (*protocol, way.clone())));
    for_each(
        cases,
        |(protocol, link)| format!("{protocol}, {link}"),
        |(protocol, link)| check(protocol, link),
    );
}

/// Runs a check with each of these cases, all at the same time.
#[track_caller]
fn for_each<C: Send + Clone>(
    cases: impl IntoIterator<Item = C>,
    name: impl Fn(&C) -> String,
    check: impl Fn(C) + Sync,
) {
    if let Some(reason) = unavailable() {
        return skipped(reason);
    }
    let check = &check;
    let failed: Vec<String> = thread::scope(|scope| {
        let start = |case: C| {
            let name = name(&case);
            let thread = thread::Builder::new().name(name.clone());
            (name, thread.spawn_scoped(scope, move || check(case)).expect("a thread"))
        };
        let started: Vec<_> = cases.into_iter().map(start).collect();
        started
            .into_iter()
            .filter_map(|(name, thread)| thread.join().is_err().then_some(name))
            .collect()
    });
    assert!(failed.is_empty(), "failed: {}", list(&failed));
}

fn list(items: &[impl Display]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
