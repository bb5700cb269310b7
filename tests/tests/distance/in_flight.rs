//! Requests in flight at the signal, even one behind another: each gets its whole response.

use std::thread::sleep;
use std::time::Duration;

use lifecycle_tests::rig::Link;

use crate::clients::{Client, Http1, Protocol, Tally, connect};
use crate::site::{Site, joined, tally};
use crate::{DISTANCES, SLACK, at_each, at_each_way};

/// Time that a handler takes from the signal on. Its response comes after every window.
const SLOW: Duration = Duration::from_millis(800);

#[test]
fn a_response_that_is_not_ready_at_the_signal_comes_whole() {
    at_each(&DISTANCES, &Protocol::ALL, not_ready);
}

fn not_ready(protocol: Protocol, link: Link) {
    let mut site = Site::start(protocol, link, |start| start);
    let client = site.client(|target| {
        let mut client =
            connect(target, target.journal("one")).unwrap_or_else(|journal| panic!("{journal}"));
        let reply = client.get("/held/one");
        let is_last = reply.is_some_and(|reply| reply.is_last);
        (client.end(), is_last)
    });
    site.program.wait_until_said("held one");
    site.stop();
    sleep(SLOW);
    site.program.tell("one");
    let (journal, is_last) = joined(client);
    assert!(is_last, "nothing said that it is the last\n{journal}");
    let tally = Tally(vec![journal]);
    tally.expect_all(200);
    let (rtt, window) = (site.rtt, site.window);
    let took = site.expect_report(&tally, 0).took;
    assert!(took < SLOW + window + 3 * rtt + SLACK, "{took:?}");
}

#[test]
fn a_response_whose_body_is_going_at_the_signal_comes_whole() {
    at_each(&DISTANCES, &Protocol::ALL, |protocol, link| body_going(protocol, link, |_| {}));
}

/// Begins the stop while a response's body is on its way, and then calls `act`.
pub(crate) fn body_going(protocol: Protocol, link: Link, act: impl FnOnce(&Site)) {
    let mut site = Site::start(protocol, link, |start| start);
    let client = site.client(|target| {
        let mut client =
            connect(target, target.journal("one")).unwrap_or_else(|journal| panic!("{journal}"));
        let reply = client.get("/stream/1000");
        assert!(
            reply.is_none_or(|reply| reply.body.len() == 20 * "chunk\n".len()),
            "not all of it"
        );
        client.end()
    });
    site.program.wait_until_said("stream 1");
    site.stop();
    act(&site);
    let tally = tally([client]);
    tally.expect_all(200);
    site.expect_report(&tally, 0);
}

#[test]
fn a_request_behind_another_is_refused_and_does_not_run() {
    at_each(&DISTANCES, &Protocol::HTTP1, behind_another);
}

fn behind_another(protocol: Protocol, link: Link) {
    let mut site = Site::start(protocol, link, |start| start);
    let client = site.client(|target| {
        let mut client = Http1::connect(target, target.journal("one"))
            .unwrap_or_else(|journal| panic!("{journal}"));
        let both = "GET /held/one HTTP/1.1\r\nHost: test\r\n\r\n\
                    GET /run/late HTTP/1.1\r\nHost: test\r\n\r\n";
        client.write("GET /held/one", both.as_bytes());
        let first = client.receive();
        assert!(first.is_some_and(|reply| reply.is_last), "it is not the last\n{}", client.journal);
        client.write("GET /run/late", b"");
        client.receive();
        Box::new(client).end()
    });
    site.program.wait_until_said("held one");
    site.stop();
    sleep(SLOW);
    site.program.tell("one");
    let tally = tally([client]);
    tally.expect_nothing_lost();
    assert_eq!((tally.answered(), tally.not_executed()), (1, 1), "{}", tally.journals());
    let ended = site.expect_report(&tally, 0);
    assert!(!ended.did().contains(&"run late"), "{ended}");
}

#[test]
fn narrow_and_lossy_ways_change_nothing_for_requests_in_flight() {
    at_each_way(&Protocol::ALL, |protocol, link| {
        not_ready(protocol, link.clone());
        body_going(protocol, link.clone(), |_| {});
        if !protocol.is_http2() {
            behind_another(protocol, link);
        }
    });
}
