//! Connections without a request at the signal: requests that are on their way are answered, and
//! the server closes no connection under them.

use std::net::TcpStream;
use std::thread::sleep;
use std::time::Duration;

use lifecycle_tests::rig::Link;

use crate::clients::{Client, Http1, Journal, Protocol, Target, connect, over};
use crate::site::{Gate, Key, Site, gate, tally, wait_until_acknowledged};
use crate::{DISTANCES, SLACK, at_each, at_each_way};

/// Parts of a request's head, sent one after the other.
const HEAD: [&str; 5] = ["GET /", " HTTP/1.1\r\n", "Host: te", "st\r\n", "\r\n"];

/// Quiet window that leaves a busy machine enough time.
const LONG_WINDOW: Duration = Duration::from_secs(1);

#[test]
fn requests_that_were_on_their_way_at_the_signal_are_answered() {
    at_each(&DISTANCES, &Protocol::ALL, on_its_way);
}

fn on_its_way(protocol: Protocol, link: Link) {
    let mut site = Site::start(protocol, link, |start| start);
    let (sent, is_sent) = gate();
    let client = site.client(move |target| {
        let mut client =
            connect(target, target.journal("one")).unwrap_or_else(|journal| panic!("{journal}"));
        client.get("/");
        client.send("/");
        sent.open();
        client.receive();
        client.end()
    });
    is_sent.wait();
    // The request is on its way for half of a round trip, and the signal is there at once.
    site.stop();
    let tally = tally([client]);
    tally.expect_all(200);
    site.expect_report(&tally, 0);
}

#[test]
fn requests_that_arrive_within_the_quiet_window_are_answered_and_are_the_last() {
    at_each(&DISTANCES, &Protocol::HTTP1, within_the_window);
}

fn within_the_window(protocol: Protocol, link: Link) {
    let mut site = Site::start(protocol, link, |start| start.env("LIFECYCLE_QUIET_WINDOW", "1s"));
    let wait = (LONG_WINDOW / 2).saturating_sub(site.rtt / 2);
    let kinds = ["kept alive", "silent", "half way through a head"];
    let mut keys = Vec::new();
    let mut gates = Vec::new();
    let mut clients = Vec::new();
    for kind in kinds {
        let (idle, is_idle) = gate();
        let (go, may_go) = gate();
        gates.push(is_idle);
        keys.push(go);
        clients.push(site.client(move |target| {
            let mut client = Http1::connect(target, target.journal(kind))
                .unwrap_or_else(|journal| panic!("{journal}"));
            match kind {
                "kept alive" => drop(client.get("/")),
                "silent" => {}
                _ => client.write("GET /", HEAD[0].as_bytes()),
            }
            wait_until_acknowledged();
            idle.open();
            may_go.wait();
            sleep(wait);
            let head =
                if kind == "half way through a head" { HEAD[1..].concat() } else { HEAD.concat() };
            client.write("GET /", head.as_bytes());
            let reply = client.receive();
            assert!(
                reply.is_none_or(|reply| reply.is_last),
                "it is not the last\n{}",
                client.journal
            );
            Box::new(client).end()
        }));
    }
    gates.iter().for_each(Gate::wait);
    site.stop();
    keys.iter().for_each(Key::open);
    let tally = site.tally(clients);
    tally.expect_all(200);
    site.expect_report(&tally, 0);
}

#[test]
fn idle_connections_are_closed_in_order_and_hold_the_stop_up_for_the_window_only() {
    at_each(&DISTANCES, &Protocol::ALL, twenty_idle);
}

fn twenty_idle(protocol: Protocol, link: Link) {
    let mut site = Site::start(protocol, link, |start| start);
    let (idle, is_idle) = gate();
    let clients: Vec<_> = (0..20)
        .map(|number| {
            let idle = idle.clone();
            site.client(move |target| {
                let mut client = connect(target, target.journal(number))
                    .unwrap_or_else(|journal| panic!("{journal}"));
                client.get("/");
                idle.open();
                client.end()
            })
        })
        .collect();
    for _ in &clients {
        is_idle.wait();
    }
    site.stop();
    let tally = tally(clients);
    tally.expect_all(200);
    let (rtt, window) = (site.rtt, site.window);
    let took = site.expect_report(&tally, 0).took;
    assert!(took < window + 3 * rtt + SLACK, "{took:?}");
}

#[test]
fn a_head_that_is_still_coming_is_waited_for() {
    at_each(&DISTANCES, &Protocol::HTTP1, head_in_parts);
}

fn head_in_parts(protocol: Protocol, link: Link) {
    let mut site = Site::start(protocol, link, |start| start.env("LIFECYCLE_QUIET_WINDOW", "2s"));
    let (begun, has_begun) = gate();
    let client = site.client(move |target| {
        let mut client = Http1::connect(target, target.journal("slow"))
            .unwrap_or_else(|journal| panic!("{journal}"));
        for part in HEAD {
            client.write("GET /", part.as_bytes());
            wait_until_acknowledged();
            begun.open();
            // Together the pauses are longer than the quiet window, and each is much shorter.
            sleep(Duration::from_millis(600));
        }
        client.receive();
        Box::new(client).end()
    });
    has_begun.wait();
    site.stop();
    let tally = site.tally([client]);
    tally.expect_all(200);
    site.expect_report(&tally, 0);
}

#[test]
fn a_tls_handshake_that_is_under_way_is_finished_and_its_request_answered() {
    at_each(&DISTANCES, &[Protocol::Tls, Protocol::H2], in_handshakes);
}

fn in_handshakes(protocol: Protocol, link: Link) {
    // A busy machine makes handshakes with pauses in between.
    let mut site = Site::start(protocol, link, |start| start.env("LIFECYCLE_QUIET_WINDOW", "2s"));
    // A client connects every few milliseconds for as long as a handshake takes, so that the signal
    // finds handshakes at every point.
    let (count, pause) = (16, site.rtt.max(Duration::from_millis(32)) * 2 / 16);
    let (connected, has_connected) = gate();
    let mut clients = Vec::new();
    for number in 0..count {
        let connected = connected.clone();
        clients.push(site.client(move |target| {
            let mut journal = target.journal(number);
            let Ok(tcp) = target.tcp() else { panic!("it listens") };
            journal.connected(tcp.local_addr().expect("a socket").port());
            connected.open();
            with_handshake(target, tcp, journal)
        }));
        sleep(pause);
    }
    // Each client has connected, the last ones just now.
    (0..count).for_each(|_| has_connected.wait());
    site.stop();
    let tally = site.tally(clients);
    tally.expect_all(200);
    site.expect_report(&tally, 0);
}

fn with_handshake(target: &Target, tcp: TcpStream, mut journal: Journal) -> Journal {
    match target.secure(tcp) {
        Ok(transport) => {
            let mut client = over(target, transport, journal);
            client.get("/");
            client.end()
        }
        Err(why) => {
            journal.outcome("TLS handshake", why.into());
            journal
        }
    }
}

#[test]
fn connections_that_say_nothing_are_closed_in_order() {
    at_each(&DISTANCES, &Protocol::HTTP1, silent);
}

fn silent(protocol: Protocol, link: Link) {
    let mut site = Site::start(protocol, link, |start| start);
    let (silent, is_silent) = gate();
    let client = site.client(move |target| {
        let client = Http1::connect(target, target.journal("silent"))
            .unwrap_or_else(|journal| panic!("{journal}"));
        silent.open();
        Box::new(client).end()
    });
    is_silent.wait();
    site.stop();
    let tally = site.tally([client]);
    tally.expect_nothing_lost();
    site.expect_report(&tally, 0);
}

#[test]
fn narrow_and_lossy_ways_change_nothing_for_idle_connections() {
    at_each_way(&Protocol::ALL, |protocol, link| {
        on_its_way(protocol, link.clone());
        twenty_idle(protocol, link.clone());
        if protocol.is_tls() {
            in_handshakes(protocol, link.clone());
        }
        if !protocol.is_http2() {
            within_the_window(protocol, link.clone());
            head_in_parts(protocol, link.clone());
            silent(protocol, link);
        }
    });
}
