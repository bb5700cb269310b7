//! Clients that go away, or can't be reached any more, while the server owes them a response.

use std::thread::sleep;
use std::time::Duration;

use lifecycle_tests::rig::Link;
use socket2::SockRef;

use crate::clients::{Protocol, over};
use crate::harness::Ended;
use crate::in_flight::body_going;
use crate::site::{Site, gate, tally};
use crate::{SLACK, at_each, for_each};

/// Requests, and the lines that their handlers say. At the signal the response to the first has not
/// begun, and the response to the other is on its way.
const REQUESTS: [(&str, &str); 2] = [("/held/one", "held one"), ("/stream/500", "stream 1")];

/// Time for which a response goes on after the signal: shorter than the time that a client is
/// given.
const GOING: Duration = Duration::from_millis(500);

/// Time after which the server gives a silent client up: twice the outage of a network that a
/// client has to survive.
const GIVEN_UP: Duration = Duration::from_secs(6);

/// Default of the time that a client has without a sign of life.
const DISCONNECT: Duration = Duration::from_secs(1);

fn cases() -> impl Iterator<Item = (u64, Protocol, (&'static str, &'static str))> {
    let distances = [10, 300].into_iter();
    let clients = distances.flat_map(|rtt| Protocol::ALL.map(|protocol| (rtt, protocol)));
    clients.flat_map(|(rtt, protocol)| REQUESTS.map(|request| (rtt, protocol, request)))
}

/// Has a client send a request, switches its link off during the stop, and tells the handler to
/// answer if it waits for that.
fn fail_link(mut site: Site, path: &'static str, said: &str) -> Ended {
    let (gone, is_gone) = gate();
    let client = site.client(move |target| {
        let Ok(transport) = target.open() else { panic!("it listens") };
        let mut client = over(target, transport, target.journal("one"));
        client.send(path);
        is_gone.wait();
        client.into_journal()
    });
    site.program.wait_until_said(said);
    site.stop();
    site.rig.switch_off();
    site.program.tell("one");
    site.program.wait_for("server closed in");
    gone.open();
    tally([client]);
    site.program.end()
}

/// Checks that a response counts as finished once the system has taken it, as nobody can know that
/// it never arrives.
#[test]
fn a_client_behind_a_link_that_fails_during_the_stop_is_given_up() {
    for_each(
        cases(),
        |(rtt, protocol, (path, _))| format!("{protocol}, {path}, RTT {rtt} ms"),
        |(rtt, protocol, (path, said))| {
            let site = Site::start(protocol, Link::rtt(rtt), |start| start);
            let rtt = site.rtt;
            let ended = fail_link(site, path, said);
            ended.expect_code(0).expect_said(&[": 1 request finished, 0 cut off"]);
            // A client that is far away has a few round trips.
            assert!(ended.took < GOING + GIVEN_UP + 11 * rtt + SLACK, "{:?}\n{ended}", ended.took);
        },
    );
}

#[test]
fn a_client_that_resets_its_connection_during_the_stop_is_not_waited_for() {
    for_each(
        cases(),
        |(rtt, protocol, (path, _))| format!("{protocol}, {path}, RTT {rtt} ms"),
        |(rtt, protocol, (path, said))| {
            let mut site = Site::start(protocol, Link::rtt(rtt), |start| start);
            let (reset, may_reset) = gate();
            let client = site.client(move |target| {
                let Ok(tcp) = target.tcp() else { panic!("it listens") };
                SockRef::from(&tcp).set_linger(Some(Duration::ZERO)).expect("a TCP socket");
                let Ok(transport) = target.secure(tcp) else { panic!("it listens") };
                let mut client = over(target, transport, target.journal("one"));
                client.send(path);
                may_reset.wait();
                client.into_journal()
            });
            site.program.wait_until_said(said);
            site.stop();
            reset.open();
            tally([client]);
            let rtt = site.rtt;
            let ended = site.program.end();
            let expected =
                ": 0 requests finished, 0 cut off, 1 client went away before its response";
            ended.expect_code(0).expect_said(&[expected]);
            assert!(ended.took < DISCONNECT + 3 * rtt + SLACK, "{:?}\n{ended}", ended.took);
        },
    );
}

/// Time for which the network is out of order, in a test that has to survive it.
const OUTAGE: Duration = Duration::from_secs(3);

/// Interrupts the link for a while.
pub(crate) fn interrupt(site: &Site) {
    site.rig.switch_off();
    sleep(OUTAGE);
    site.rig.switch_on();
}

#[test]
fn a_response_whose_body_is_going_survives_an_outage_of_the_network() {
    at_each(&[10, 300], &Protocol::ALL, |protocol, link| body_going(protocol, link, interrupt));
}

/// Checks a response of which the system takes only a part from the server.
fn fail_in_the_middle(protocol: Protocol, link: Link, path: &'static str, said: &str) {
    let site = Site::start(protocol, link, |start| start);
    let rtt = site.rtt;
    let ended = fail_link(site, path, said);
    assert!(ended.took < GIVEN_UP + 11 * rtt + SLACK, "{:?}\n{ended}", ended.took);
    let expected = ": 0 requests finished, 0 cut off, 1 client went away before its response";
    ended.expect_code(0).expect_said(&[expected]);
}

#[test]
fn a_client_behind_a_link_that_fails_in_the_middle_of_a_large_response_is_given_up() {
    at_each(&[10, 300], &Protocol::ALL, |protocol, link| {
        fail_in_the_middle(protocol, link, "/large", "large");
    });
}

#[test]
fn so_is_one_whose_large_response_begins_when_the_link_has_failed() {
    at_each(&[10, 300], &Protocol::ALL, |protocol, link| {
        fail_in_the_middle(protocol, link, "/held/one/64000000", "held one");
    });
}
