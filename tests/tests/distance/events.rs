//! Server-sent events: a handler that hears of the stop ends them, and its client gets the last
//! one.

use crate::clients::{Protocol, connect};
use crate::site::{Site, tally};
use crate::{DISTANCES, SLACK, at_each};

#[test]
fn a_stream_of_events_that_hears_of_the_stop_comes_to_its_end() {
    at_each(&DISTANCES, &Protocol::ALL, |protocol, link| {
        let mut site = Site::start(protocol, link, |start| start);
        let client = site.client(|target| {
            let mut client = connect(target, target.journal("one")).unwrap_or_else(|journal| panic!("{journal}"));
            let reply = client.get("/events");
            assert!(reply.is_none_or(|reply| reply.body.ends_with("data: last\n\n")), "not the last event");
            client.end()
        });
        site.program.wait_until_said("events");
        site.stop();
        let tally = tally([client]);
        tally.expect_all(200);
        let rtt = site.rtt;
        let took = site.expect_report(&tally, 0).took;
        assert!(took < 5 * rtt + SLACK, "{took:?}");
    });
}
