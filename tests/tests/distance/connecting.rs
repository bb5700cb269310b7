//! Clients that connect while the listener closes: every client that has connected is served.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use lifecycle_tests::rig::Segment;
use socket2::SockRef;

use crate::clients::{Client, Http1, Journal, Outcome, Protocol, Tally, Target, over};
use crate::site::{Site, gate, joined, tally};
use crate::{DISTANCES, SLACK, WINDOW, at_each};

/// Time for which clients come before the signal.
const BEFORE: Duration = Duration::from_millis(400);
/// Time for which clients come after the signal: longer than first packets may be dropped.
const AFTER: Duration = Duration::from_millis(2500);

const SECOND: Duration = Duration::from_secs(1);

/// Longest delay of a busy machine before it closes a listener: much less than the quiet window.
const LATE: Duration = Duration::from_millis(500);

/// Shortest round trip at which a first packet certainly comes while first packets are dropped.
const FAR: Duration = Duration::from_millis(100);

/// Lets clients connect at this rate while the server stops. Each sends a request when it is
/// connected.
fn with_rate(protocols: &[Protocol], per_second: u32) {
    at_each(&DISTANCES, protocols, |protocol, link| {
        // This is longer than a busy machine keeps a client that has connected from sending its
        // request.
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
        // If the closing listener drops a first packet, the client sends it again after a second,
        // when nobody listens any more.
        let handshakes = site.rig.handshakes();
        let dropped: Vec<_> = handshakes
            .values()
            .filter(|handshake| handshake.is_first_dropped())
            .filter_map(|handshake| handshake.began)
            .collect();
        let slowest = connecting.into_iter().max().unwrap_or_default();
        let rtt = site.rtt;
        println!(
            "{protocol}, {per_second}/s, RTT {rtt:?}: {tally}; {} first packets dropped, at most \
             {slowest:?}",
            dropped.len()
        );
        tally.expect_nothing_lost();
        assert_eq!(tally.not_executed(), 0, "{tally}");
        assert!(tally.not_connected() > 0, "the listener never closed: {tally}");
        assert!(slowest < SECOND + 4 * rtt + WINDOW + SLACK, "{slowest:?}");
        // First packets are dropped for as long as a handshake takes, and no longer. The clock
        // shows a longer time if the server is late, and the number of packets does if the clients
        // are.
        let by_clock = match (dropped.iter().min(), dropped.iter().max()) {
            (Some(first), Some(last)) => *last - *first,
            _ => Duration::ZERO,
        };
        let by_number = u32::try_from(dropped.len()).expect("few") * pause;
        let dropped_for = by_clock.min(by_number);
        assert!(dropped_for < 3 * rtt / 2 + LATE, "first packets were dropped for {dropped_for:?}");
        assert!(!dropped.is_empty() || rtt < FAR, "no first packet was dropped");
        site.expect_report(&tally, 0);
    });
}

/// Sends a request on a connection of its own. Returns the journal and the time that it took to
/// connect.
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
    with_rate(&[Protocol::Tls, Protocol::H2], 40);
}

/// Listens where the server did as soon as that is possible, and sends each client the same answer.
fn succeed(address: &str) -> TcpListener {
    let listener = loop {
        if let Ok(listener) = TcpListener::bind(address) {
            break listener;
        }
        sleep(Duration::from_millis(1));
    };
    let clients = listener.try_clone().expect("a descriptor");
    thread::spawn(move || {
        for mut client in clients.incoming().map_while(Result::ok) {
            let answer =
                b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\nsuccessor";
            let _ = client.write_all(answer);
            let _ = client.read(&mut [0; 1024]);
        }
    });
    listener
}

#[test]
fn whoever_begins_to_connect_while_the_listener_closes_comes_to_its_successor() {
    at_each(&[100, 300], &[Protocol::Http1], |protocol, link| {
        let mut site = Site::start(protocol, link, |start| start);
        // The server drains for as long as this request is in flight.
        let held = site.client(|target| {
            let mut client = Http1::connect(target, target.journal("held")).expect("it listens");
            client.get("/held/one");
            client.journal
        });
        site.program.wait_until_said("held one");
        let pause = Duration::from_millis(10);
        let clients: Vec<_> = (0..200_u32)
            .map(|number| {
                site.client(move |target| {
                    sleep(pause * number);
                    let mut journal = target.journal(number);
                    let Ok(tcp) = target.tcp() else { return None };
                    let port = tcp.local_addr().expect("a socket").port();
                    journal.connected(port);
                    let mut client = Http1::over(Box::new(tcp), journal);
                    client.send("/");
                    Some((port, client.receive().map(|reply| reply.body)))
                })
            })
            .collect();
        sleep(BEFORE);
        site.stop();
        let successor = site.rig.server(|| succeed(&site.target.address));
        let answers: Vec<_> = clients.into_iter().filter_map(joined).collect();
        let handshakes = site.rig.handshakes();
        let dropped: Vec<_> = handshakes
            .iter()
            .filter(|(_, handshake)| handshake.is_first_dropped())
            .map(|(port, handshake)| (*port, &handshake.segments))
            .collect();
        println!("{} first packets dropped, {} answers", dropped.len(), answers.len());
        assert!(!dropped.is_empty(), "no first packet was dropped");
        for (port, segments) in dropped {
            let expected = [Segment::Syn, Segment::Syn, Segment::SynAck];
            assert!(segments.starts_with(&expected), "{segments:?}");
            let answer = answers.iter().find(|(answered, _)| *answered == port);
            assert_eq!(answer, Some(&(port, Some("successor".to_owned()))));
        }
        assert!(answers.iter().all(|(_, answer)| answer.is_some()), "lost: {answers:?}");
        site.program.tell("one");
        assert_eq!(joined(held).statuses(), [200]);
        let _ = SockRef::from(&successor).shutdown(Shutdown::Both);
    });
}

#[test]
fn a_crowd_that_has_just_connected_at_the_signal_is_served() {
    let protocols = [Protocol::Http1, Protocol::H2c, Protocol::H2];
    at_each(&DISTANCES, &protocols, |protocol, link| {
        const CROWD: usize = 100;
        // This is longer than a busy machine keeps a client that has connected from sending its
        // request.
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
