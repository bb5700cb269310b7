//! Requests that don't end: they are cut off at the deadline, named, and counted as their clients
//! saw them.

use std::time::Duration;

use lifecycle_tests::http::head;
use lifecycle_tests::rig::Link;

use crate::clients::{Client, Http1, Http2, Protocol, Reading, connect};
use crate::harness::Start;
use crate::site::{Site, gate, tally};
use crate::{SLACK, at_each, for_each};

/// Time that requests have.
const LIMIT: &str = "700ms";

#[test]
fn a_handler_that_does_not_end_is_cut_off_and_named() {
    at_each(&[10, 300], &Protocol::ALL, |protocol, link| {
        let mut site =
            Site::start(protocol, link, |start| start.env("LIFECYCLE_DRAIN_TIMEOUT", LIMIT));
        let client = site.client(|target| {
            let mut client = connect(target, target.journal("one"))
                .unwrap_or_else(|journal| panic!("{journal}"));
            client.get("/asleep");
            client.into_journal()
        });
        site.program.wait_until_said("asleep");
        site.stop();
        let tally = tally([client]);
        assert_eq!((tally.answered(), tally.lost()), (0, 1), "{tally}");
        let ended = site.expect_report(&tally, 1);
        ended.expect_said(&["request cut off: GET /asleep "]);
    });
}

#[test]
fn a_client_that_does_not_send_its_body_is_cut_off_and_named() {
    at_each(&[10, 300], &Protocol::ALL, |protocol, link| {
        let mut site =
            Site::start(protocol, link, |start| start.env("LIFECYCLE_DRAIN_TIMEOUT", LIMIT));
        let client = site.client(move |target| {
            let journal = target.journal("one");
            if protocol.is_http2() {
                let mut client =
                    Http2::connect(target, journal, Reading::default()).expect("it listens");
                let stream = client.post("/upload");
                client.wait(stream);
                return client.journal;
            }
            let mut client = Http1::connect(target, journal).expect("it listens");
            client.write("POST /upload", head("POST /upload", 1000).as_bytes());
            client.receive();
            client.journal
        });
        site.program.wait_until_said("upload");
        site.stop();
        let tally = tally([client]);
        assert_eq!(tally.lost(), 1, "{tally}");
        site.expect_report(&tally, 1).expect_said(&["request cut off: POST /upload "]);
    });
}

#[test]
fn a_client_that_does_not_read_is_cut_off_and_named() {
    at_each(&[10, 300], &Protocol::HTTP1, |protocol, link| {
        let mut site =
            Site::start(protocol, link, |start| start.env("LIFECYCLE_DRAIN_TIMEOUT", LIMIT));
        let (read, may_read) = gate();
        let client = site.client(move |target| {
            let mut client = Http1::connect(target, target.journal("one")).expect("it listens");
            client.send("/large");
            // The client reads only after the server has gone.
            may_read.wait();
            client.receive();
            client.journal
        });
        site.program.wait_until_said("large");
        site.stop();
        site.program.wait_for("server closed in");
        read.open();
        let tally = tally([client]);
        assert_eq!(tally.lost(), 1, "{tally}");
        site.expect_report(&tally, 1).expect_said(&["request cut off: GET /large "]);
    });
}

/// Checks clients whose window is full, so that the end of the stream can't be written, however
/// much the server has taken from the handler.
#[test]
fn a_response_that_does_not_fit_into_the_window_of_its_client_is_cut_off_and_counted_so() {
    const LENGTHS: [usize; 14] = [
        65_536, 65_537, 66_000, 70_000, 81_920, 90_000, 98_304, 120_000, 131_072, 150_000, 200_000,
        300_000, 500_000, 1_000_000,
    ];
    let cases =
        LENGTHS.iter().map(|length| (Protocol::H2c, *length)).chain([(Protocol::H2, 100_000)]);
    for_each(
        cases,
        |(protocol, length)| format!("{protocol}, {length} bytes"),
        |(protocol, length)| {
            let set = |start: Start| start.env("LIFECYCLE_DRAIN_TIMEOUT", LIMIT);
            let mut site = Site::start(protocol, Link::rtt(10), set);
            let client = site.client(move |target| {
                let reading = Reading { window: 65_535, update_every: None, ..Reading::default() };
                let mut client =
                    Http2::connect(target, target.journal("one"), reading).expect("it listens");
                let stream = client.open(&format!("/big/{length}"));
                client.wait(stream);
                client.journal
            });
            site.program.wait_until_said("big 1");
            site.stop();
            let tally = tally([client]);
            assert_eq!((tally.answered(), tally.lost()), (0, 1), "{tally}");
            site.expect_report(&tally, 1)
                .expect_said(&[&format!("request cut off: GET /big/{length} ")]);
        },
    );
}

/// Checks clients that stop reading. Such a client can still read what the system has taken from
/// the server, and the rest is cut off. So the length of a response decides whether it is finished,
/// and the report says what the client sees.
#[test]
fn a_response_is_finished_exactly_if_its_client_can_still_read_all_of_it() {
    const KILOBYTES: [usize; 14] =
        [50, 80, 100, 120, 150, 180, 220, 260, 300, 350, 400, 500, 700, 1000];
    let cases = KILOBYTES
        .iter()
        .flat_map(|length| [Protocol::H2c, Protocol::H2].map(|protocol| (protocol, *length)));
    for_each(
        cases,
        |(protocol, length)| format!("{protocol}, {length} kB"),
        |(protocol, length)| {
            let set = |start: Start| start.env("LIFECYCLE_DRAIN_TIMEOUT", LIMIT);
            let mut site = Site::start(protocol, Link::rtt(10), set);
            let (begun, has_begun) = gate();
            let (gone, is_gone) = gate();
            let client = site.client(move |target| {
                let mut client = Http2::connect(target, target.journal("one"), Reading::default())
                    .expect("it listens");
                let stream = client.open(&format!("/big/{}", length * 1000));
                client.wait_for_head(stream);
                // Bytes that reach a closed socket would throw away what is on its way to the
                // client.
                client.be_silent();
                begun.open();
                is_gone.wait();
                client.wait(stream);
                client.journal
            });
            has_begun.wait();
            site.stop();
            site.program.wait_for("server closed in");
            gone.open();
            let tally = tally([client]);
            println!(
                "{protocol}, {length} kB: {} finished, {} cut off",
                tally.answered(),
                tally.lost()
            );
            let cut = tally.lost();
            site.expect_report(&tally, cut);
        },
    );
}

/// Checks clients that read on, and update their windows while the rest of the response is on its
/// way. The system must not reset their connections for that, though the process has gone.
#[test]
fn a_response_that_the_system_has_taken_comes_whole_to_a_client_that_reads_on() {
    const KILOBYTES: [usize; 7] = [30, 60, 90, 120, 180, 300, 500];
    let cases = KILOBYTES
        .iter()
        .flat_map(|length| [Protocol::H2c, Protocol::H2].map(|protocol| (protocol, *length)));
    for_each(
        cases,
        |(protocol, length)| format!("{protocol}, {length} kB"),
        |(protocol, length)| {
            let set = |start: Start| start.env("LIFECYCLE_DRAIN_TIMEOUT", "300ms");
            let mut site = Site::start(protocol, Link::rtt(20).bandwidth(1_000_000), set);
            let (begun, has_begun) = gate();
            let client = site.client(move |target| {
                let reading = Reading { update_every: Some(4096), ..Reading::default() };
                let mut client =
                    Http2::connect(target, target.journal("one"), reading).expect("it listens");
                let stream = client.open(&format!("/big/{}", length * 1000));
                client.wait_for_head(stream);
                begun.open();
                client.wait(stream);
                client.journal
            });
            has_begun.wait();
            site.stop();
            let tally = tally([client]);
            println!("{protocol}, {length} kB: {tally}");
            let cut = tally.lost();
            site.expect_report(&tally, cut);
        },
    );
}

/// Checks a client that has all that it needs. The server can't know more than that about it.
#[test]
fn a_client_that_has_its_response_and_does_not_close_holds_the_stop_up_for_a_while_only() {
    at_each(&[10, 300], &Protocol::ALL, |protocol, link| {
        let mut site = Site::start(protocol, link, |start| start);
        let (gone, is_gone) = gate();
        let client = site.client(move |target| {
            let mut client = connect(target, target.journal("one"))
                .unwrap_or_else(|journal| panic!("{journal}"));
            client.get("/slow/500");
            // The client neither reads nor closes until the server has gone.
            is_gone.wait();
            client.into_journal()
        });
        site.program.wait_until_said("slow 1");
        site.stop();
        site.program.wait_for("server closed in");
        gone.open();
        let tally = tally([client]);
        tally.expect_all(200);
        let rtt = site.rtt;
        let took = site.expect_report(&tally, 0).took;
        // The first part of the time is for the response and `client_disconnect_timeout`.
        assert!(took < Duration::from_millis(1500) + 3 * rtt + SLACK, "{took:?}");
    });
}
