//! Clients that connect while the listener closes: whoever has connected is served.

use std::net::TcpStream;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::clients::{Journal, Outcome, Protocol, Tally, Target, over};
use crate::site::{Site, gate, joined, tally};
use crate::{DISTANCES, SLACK, WINDOW, at_each};

/// Time for which clients come before the signal.
const BEFORE: Duration = Duration::from_millis(400);
/// Time for which they come after it: longer than first packets may be dropped.
const AFTER: Duration = Duration::from_millis(2500);

const SECOND: Duration = Duration::from_secs(1);

/// Connections come at this rate while the server stops; each sends a request when it is connected.
fn with_rate(protocols: &[Protocol], per_second: u32) {
    at_each(&DISTANCES, protocols, |protocol, link| {
        // Longer than a busy machine keeps a client that has connected from sending its request.
        let mut site =
            Site::start(protocol, link, |start| start.env("LIFECYCLE_QUIET_WINDOW", "1s"));
        let pause = Duration::from_secs(1) / per_second;
        let began = Instant::now();
        let mut signalled = None;
        let mut clients = Vec::new();
        for number in 0.. {
            let due = pause * number;
            sleep(due.saturating_sub(began.elapsed()));
            if due >= BEFORE && signalled.is_none() {
                site.stop();
                signalled = Some(began.elapsed());
            }
            if signalled.is_some_and(|signalled| began.elapsed() > signalled + AFTER + 2 * site.rtt)
            {
                break;
            }
            clients.push(site.client(move |target| ask_once(target, target.journal(number))));
        }
        let (journals, connecting): (Vec<_>, Vec<_>) = clients.into_iter().map(joined).unzip();
        let tally = Tally(journals);
        // A first packet that the closing listener drops is sent again after a second, when nobody
        // listens any more.
        let slow = connecting.iter().filter(|took| **took > SECOND).count();
        let slowest = connecting.into_iter().max().unwrap_or_default();
        let rtt = site.rtt;
        println!(
            "{protocol}, {per_second}/s, RTT {rtt:?}: {tally}; {slow} took a second, {slowest:?} at most"
        );
        tally.expect_nothing_lost();
        assert_eq!(tally.not_executed(), 0, "{tally}");
        assert!(tally.not_connected() > 0, "the listener never closed: {tally}");
        assert!(slowest < SECOND + 4 * rtt + WINDOW + SLACK, "{slowest:?}");
        // So this is done for as long as handshakes take, and hardly longer than the quiet window.
        let limit = (4 * rtt).min(WINDOW.max(2 * rtt)) + SLACK;
        let dropped_for = u32::try_from(slow).expect("few") * pause;
        assert!(dropped_for < limit, "{slow} first packets were dropped, for {dropped_for:?}");
        site.expect_report(&tally, 0);
    });
}

/// Asks for something on a connection of its own. Returns how long it took to connect, too.
fn ask_once(target: &Target, mut journal: Journal) -> (Journal, Duration) {
    let began = Instant::now();
    let tcp = target.tcp();
    let took = began.elapsed();
    let journal = match tcp {
        Ok(tcp) => ask(target, tcp, journal),
        Err(why) => {
            journal.outcome("connection", Outcome::from(why));
            journal
        }
    };
    (journal, took)
}

fn ask(target: &Target, tcp: TcpStream, mut journal: Journal) -> Journal {
    match target.secure(tcp) {
        Ok(transport) => {
            let mut client = over(target, transport, journal);
            client.get("/");
            client.into_journal()
        }
        Err(why) => {
            journal.outcome("connection", Outcome::from(why));
            journal
        }
    }
}

#[test]
fn whoever_has_connected_while_the_listener_closes_is_served() {
    with_rate(&[Protocol::Http1], 200);
}

#[test]
fn whoever_has_connected_to_speak_http2_while_the_listener_closes_is_served() {
    with_rate(&[Protocol::H2c], 100);
}

#[test]
fn whoever_has_connected_to_speak_tls_while_the_listener_closes_is_served() {
    with_rate(&[Protocol::Tls], 40);
}

#[test]
fn a_crowd_that_has_just_connected_at_the_signal_is_served() {
    at_each(&DISTANCES, &[Protocol::Http1, Protocol::H2c], |protocol, link| {
        const CROWD: usize = 100;
        // Longer than a busy machine keeps a client that has connected from sending its request.
        let mut site =
            Site::start(protocol, link, |start| start.env("LIFECYCLE_QUIET_WINDOW", "2s"));
        let (connected, has_connected) = gate();
        let clients: Vec<_> = (0..CROWD)
            .map(|number| {
                let connected = connected.clone();
                site.client(move |target| {
                    let mut journal = target.journal(number);
                    let tcp = match target.tcp() {
                        Ok(tcp) => tcp,
                        Err(why) => {
                            journal.outcome("connection", Outcome::from(why));
                            connected.open();
                            return journal;
                        }
                    };
                    connected.open();
                    ask(target, tcp, journal)
                })
            })
            .collect();
        (0..CROWD).for_each(|_| has_connected.wait());
        site.stop();
        let tally = tally(clients);
        tally.expect_all(200);
        site.expect_report(&tally, 0);
    });
}
