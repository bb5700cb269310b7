//! Server-sent events and long polls: a handler that learns of the stop ends them, and its client
//! gets the last event, or the answer. All others are cut off.

use lifecycle_tests::rig::Link;

use crate::clients::{Protocol, connect};
use crate::harness::Start;
use crate::site::{Site, tally};
use crate::{DISTANCES, SLACK, at_each, at_each_way};

#[test]
fn a_stream_of_events_that_hears_of_the_stop_comes_to_its_end() {
    at_each(&DISTANCES, &Protocol::ALL, events);
}

fn events(protocol: Protocol, link: Link) {
    ends_with_the_stop(protocol, link, "/events", "events", "data: last\n\n");
}

#[test]
fn a_long_poll_that_hears_of_the_stop_is_answered() {
    at_each(&DISTANCES, &Protocol::ALL, poll);
}

fn poll(protocol: Protocol, link: Link) {
    ends_with_the_stop(protocol, link, "/poll", "poll 1", "");
}

/// Stops the program once the handler says that it has begun, and expects a whole response with
/// this end as soon as the handler has learned of the stop.
fn ends_with_the_stop(
    protocol: Protocol,
    link: Link,
    path: &'static str,
    begun: &str,
    end: &'static str,
) {
    let mut site = Site::start(protocol, link, |start| start);
    let client = site.client(move |target| {
        let mut client =
            connect(target, target.journal("one")).unwrap_or_else(|journal| panic!("{journal}"));
        let reply = client.get(path);
        assert!(reply.is_none_or(|reply| reply.body.ends_with(end)), "not the whole response");
        client.end()
    });
    site.program.wait_until_said(begun);
    site.stop();
    let tally = tally([client]);
    tally.expect_all(200);
    let (rtt, window) = (site.rtt, site.window);
    let took = site.expect_report(&tally, 0).took;
    assert!(took < window + 5 * rtt + SLACK, "{took:?}");
}

#[test]
fn a_stream_of_events_that_does_not_hear_of_the_stop_is_cut_off_and_named() {
    at_each(&DISTANCES, &Protocol::ALL, |protocol, link| {
        let set = |start: Start| start.env("LIFECYCLE_DRAIN_TIMEOUT", "700ms");
        let mut site = Site::start(protocol, link, set);
        let client = site.client(|target| {
            let mut client = connect(target, target.journal("one"))
                .unwrap_or_else(|journal| panic!("{journal}"));
            client.get("/stream/600000");
            client.into_journal()
        });
        site.program.wait_until_said("stream 1");
        site.stop();
        let tally = tally([client]);
        assert_eq!((tally.answered(), tally.lost()), (0, 1), "{tally}");
        site.expect_report(&tally, 1).expect_said(&["request cut off: GET /stream/600000 "]);
    });
}

#[test]
fn narrow_and_lossy_ways_change_nothing_for_events() {
    at_each_way(&Protocol::ALL, |protocol, link| {
        events(protocol, link.clone());
        poll(protocol, link);
    });
}
