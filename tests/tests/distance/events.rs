//! Server-sent events: a handler that hears of the stop ends them, and its client gets the last
//! one.

use lifecycle_tests::rig::Link;

use crate::clients::{Protocol, connect};
use crate::site::{Site, tally};
use crate::{DISTANCES, SLACK, at_each, at_each_way};

#[test]
fn a_stream_of_events_that_hears_of_the_stop_comes_to_its_end() {
    at_each(&DISTANCES, &Protocol::ALL, events);
}

fn events(protocol: Protocol, link: Link) {
    let mut site = Site::start(protocol, link, |start| start);
    let client = site.client(|target| {
        let mut client =
            connect(target, target.journal("one")).unwrap_or_else(|journal| panic!("{journal}"));
        let reply = client.get("/events");
        assert!(
            reply.is_none_or(|reply| reply.body.ends_with("data: last\n\n")),
            "not the last event"
        );
        client.end()
    });
    site.program.wait_until_said("events");
    site.stop();
    let tally = tally([client]);
    tally.expect_all(200);
    let (rtt, window) = (site.rtt, site.window);
    let took = site.expect_report(&tally, 0).took;
    assert!(took < window + 5 * rtt + SLACK, "{took:?}");
}

#[test]
fn narrow_and_lossy_ways_change_nothing_for_events() {
    at_each_way(&Protocol::ALL, events);
}
