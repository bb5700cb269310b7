//! Handlers of web sockets that ignore a stop, and clients that have gone.

use std::time::Duration;

use lifecycle_tests::rig::Link;
use socket2::SockRef;
use tungstenite::Message;
use tungstenite::protocol::frame::coding::CloseCode;

use super::{connect, stop_beside, until_close};
use crate::clients::{Protocol, upgrade};
use crate::site::{Site, expect_report, gate, joined};
use crate::{DISTANCES, SLACK, at_each, at_each_way, for_each};

#[test]
fn what_a_handler_writes_after_the_close_fails() {
    at_each(&DISTANCES, &Protocol::HTTP1, writes_on);
}

fn writes_on(protocol: Protocol, link: Link) {
    let mut site = Site::start(protocol, link, |start| start);
    let (open, is_open) = gate();
    let client = site.client(move |target| {
        let mut socket = connect(target, "/chatty");
        socket.read().expect("a message");
        open.open();
        until_close(&mut socket).1
    });
    is_open.wait();
    site.stop();
    assert_eq!(joined(client), CloseCode::Away);
    let ended = site.program.end();
    ended.expect_code(0).expect_did(&["chatty failed", "flush", "close_db"]);
}

#[test]
fn the_closes_of_many_are_spread_over_the_time_that_is_set() {
    const SPREAD: Duration = Duration::from_secs(2);
    const CLIENTS: usize = 40;
    at_each(&DISTANCES, &[Protocol::Http1], |protocol, link| {
        let mut site = Site::start(protocol, link, |start| start.args("spread=2000"));
        let closed = stop_beside(&mut site, CLIENTS);
        let (first, last) = (closed.iter().min(), closed.iter().max());
        let between = *last.expect("some") - *first.expect("some");
        // That all of these forty random moments fall into one half is too improbable to ever
        // happen.
        assert!(between > SPREAD / 2, "all of them within {between:?}");
        let rtt = site.rtt;
        let ended = site.program.end();
        expect_report(&ended, CLIENTS, 0);
        assert!(ended.took < SPREAD + 3 * rtt + SLACK, "{:?}\n{ended}", ended.took);
    });
}

/// Checks two ways to go. The server can't know that a client which closes its connection no longer
/// reads. It knows that from a reset.
#[test]
fn a_handler_whose_client_has_gone_is_waited_for() {
    let cases = DISTANCES.iter().flat_map(|rtt| [(*rtt, false), (*rtt, true)]);
    for_each(
        cases,
        |(rtt, resets)| format!("RTT {rtt} ms, {}", if *resets { "reset" } else { "closed" }),
        |(rtt, resets)| {
            let mut site = Site::start(Protocol::Http1, Link::rtt(rtt), |start| start);
            let (go, may_go) = gate();
            let client = site.client(move |target| {
                let Ok(tcp) = target.tcp() else { panic!("it listens") };
                if resets {
                    SockRef::from(&tcp).set_linger(Some(Duration::ZERO)).expect("a TCP socket");
                }
                let mut socket = upgrade(Box::new(tcp), "/busy").expect("an upgrade");
                socket.send(Message::text("3000")).expect("it is open");
                may_go.wait();
            });
            site.program.wait_until_said("busy");
            go.open();
            joined(client);
            site.stop();
            let ended = site.program.end();
            let answer = if resets { "busy failed" } else { "busy sent" };
            ended.expect_code(0).expect_did(&["busy", answer, "flush", "close_db"]);
        },
    );
}

#[test]
fn narrow_and_lossy_ways_change_nothing_for_handlers_that_write_on() {
    at_each_way(&Protocol::HTTP1, writes_on);
}
