//! Requests that follow a response which ended late in the drain and never said that it is the
//! last.

use std::thread::sleep;
use std::time::Duration;

use lifecycle_tests::rig::Link;

use crate::clients::{Client, Http1, Protocol};
use crate::site::{Site, gate, tally};
use crate::{DISTANCES, at_each, at_each_way};

/// Pause that is shorter than the quiet window.
const PAUSE: Duration = Duration::from_millis(400);

/// Lets clients send request after request, with this pause in between, until a response is the
/// last one.
fn with_pauses(protocol: Protocol, link: Link, clients: usize, pause: Duration) {
    let mut site = Site::start(protocol, link, |start| start.env("LIFECYCLE_QUIET_WINDOW", "1s"));
    let (begun, has_begun) = gate();
    let clients: Vec<_> = (0..clients)
        .map(|number| {
            let begun = begun.clone();
            site.client(move |target| {
                let mut client = Http1::connect(target, target.journal(number))
                    .unwrap_or_else(|journal| panic!("{journal}"));
                client.send("/stream/1000");
                let mut reply = client.receive_chunks(|| begun.open());
                while reply.is_some_and(|reply| !reply.is_last) {
                    sleep(pause);
                    reply = client.get("/stream/1000");
                }
                Box::new(client).end()
            })
        })
        .collect();
    // Each client has a head that announces no close.
    for _ in &clients {
        has_begun.wait();
    }
    site.stop();
    let tally = tally(clients);
    tally.expect_all(200);
    site.expect_report(&tally, 0);
}

#[test]
fn a_request_right_behind_a_response_that_ended_late_is_answered() {
    at_each(&DISTANCES, &Protocol::HTTP1, |protocol, link| {
        with_pauses(protocol, link, 40, Duration::ZERO);
    });
}

#[test]
fn a_response_that_ended_late_is_followed_by_a_whole_quiet_window() {
    at_each(&DISTANCES, &Protocol::HTTP1, |protocol, link| with_pauses(protocol, link, 40, PAUSE));
}

#[test]
fn narrow_and_lossy_ways_change_nothing_for_late_requests() {
    at_each_way(&Protocol::HTTP1, |protocol, link| {
        with_pauses(protocol, link.clone(), 8, Duration::ZERO);
        with_pauses(protocol, link, 8, PAUSE);
    });
}
