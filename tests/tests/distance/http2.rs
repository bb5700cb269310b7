//! Goodbyes of HTTP/2: the streams that the server takes, and proof that no other one runs.

use std::thread::sleep;
use std::time::Duration;

use lifecycle_tests::rig::Link;

use crate::clients::{Client, Http2, Protocol, Reading};
use crate::site::{Site, gate, joined, tally};
use crate::{DISTANCES, SLACK, WINDOW, at_each, for_each};

/// Opens a stream behind the last one that the server takes, after this many malformed requests,
/// while another stream is in flight.
fn stream_behind_the_last(malformed: usize) {
    at_each(&DISTANCES, &Protocol::HTTP2, |protocol, link| {
        let mut site = Site::start(protocol, link, |start| start);
        let (tell, is_told) = gate();
        let client = site.client(move |target| {
            let mut client = Http2::connect(target, target.journal("one"), Reading::default())
                .expect("it listens");
            for _ in 0..malformed {
                client.open_malformed();
            }
            let early = client.open("/held/early");
            while client.last_stream().is_none() && client.read_frame() {}
            let late = client.open("/run/late");
            // This comes before the response, which ends the connection.
            client.wait(late);
            tell.open();
            client.wait(early);
            client.finish()
        });
        site.program.wait_until_said("held early");
        site.stop();
        is_told.wait();
        site.program.tell("early");
        let tally = tally([client]);
        tally.expect_nothing_lost();
        assert_eq!(tally.0[0].statuses(), [503, 200], "{}", tally.journals());
        let ended = site.expect_report(&tally, 0);
        assert!(
            !ended.did().contains(&"run late"),
            "a client may send it again elsewhere\n{ended}"
        );
    });
}

#[test]
fn a_stream_behind_the_last_one_is_answered_with_503_and_does_not_run() {
    stream_behind_the_last(0);
}

#[test]
fn a_stream_behind_the_last_one_is_answered_with_503_and_does_not_run_after_a_malformed_request() {
    stream_behind_the_last(2);
}

#[test]
fn streams_that_cross_the_goodbye_are_answered_or_not_executed() {
    at_each(&DISTANCES, &Protocol::HTTP2, |protocol, link| {
        let mut site = Site::start(protocol, link, |start| start);
        let rtt = site.rtt;
        let (open, is_open) = gate();
        let client = site.client(move |target| {
            let mut client = Http2::connect(target, target.journal("one"), Reading::default())
                .expect("it listens");
            let first = client.open("/");
            client.wait(first);
            // The client opens streams from before the signal until after the goodbye must have
            // come, unless it has read the goodbye earlier.
            let mut streams = Vec::new();
            for number in 0..20 {
                streams.push((number, client.open(&format!("/run/{number}"))));
                if number == 4 {
                    open.open();
                }
                sleep((rtt / 8).max(Duration::from_millis(2)));
            }
            let answered = |(number, stream)| {
                let reply = client.wait(stream).filter(|reply| reply.status != 503);
                reply.map(|_| format!("run {number}"))
            };
            let answered: Vec<String> = streams.into_iter().filter_map(answered).collect();
            (client.finish(), answered)
        });
        is_open.wait();
        site.stop();
        let (journal, mut answered) = joined(client);
        let tally = crate::clients::Tally(vec![journal]);
        tally.expect_nothing_lost();
        let ended = site.expect_report(&tally, 0);
        let did = ended.did();
        let mut run: Vec<_> =
            did.iter().filter(|line| line.starts_with("run ")).map(ToString::to_string).collect();
        run.sort_unstable();
        answered.sort_unstable();
        assert_eq!(run, answered, "others ran than were answered");
    });
}

/// Checks a client that has its response, and sends nothing from then on until the server has gone.
#[test]
fn a_client_that_neither_answers_nor_closes_is_given_the_time_that_is_set() {
    let cases =
        [300, 3000].into_iter().flat_map(|time| Protocol::HTTP2.map(|protocol| (protocol, time)));
    for_each(
        cases,
        |(protocol, time)| format!("{protocol}, {time} ms"),
        |(protocol, time)| {
            let disconnect = format!("disconnect={time}");
            let mut site = Site::start(protocol, Link::rtt(10), |start| start.args(&disconnect));
            let (silent, is_silent) = gate();
            let (gone, is_gone) = gate();
            let client = site.client(move |target| {
                let mut client = Http2::connect(target, target.journal("one"), Reading::default())
                    .expect("it listens");
                client.get("/");
                client.be_silent();
                silent.open();
                is_gone.wait();
                client.journal
            });
            is_silent.wait();
            site.stop();
            site.program.wait_for("server closed in");
            gone.open();
            let tally = tally([client]);
            tally.expect_all(200);
            let took = site.expect_report(&tally, 0).took;
            let time = Duration::from_millis(time);
            assert!(took >= time && took < time + 2 * WINDOW + SLACK, "{took:?}");
        },
    );
}

/// Checks a client whose PINGs are signs of life.
#[test]
fn a_client_that_sends_pings_for_ever_holds_the_stop_up_until_the_deadline_and_no_longer() {
    const LIMIT: Duration = Duration::from_secs(2);
    at_each(&[10, 300], &Protocol::HTTP2, |protocol, link| {
        let mut site =
            Site::start(protocol, link, |start| start.env("LIFECYCLE_DRAIN_TIMEOUT", "2s"));
        let (idle, is_idle) = gate();
        let client = site.client(move |target| {
            let mut client = Http2::connect(target, target.journal("one"), Reading::default())
                .expect("it listens");
            client.get("/");
            idle.open();
            while client.ping() {
                sleep(Duration::from_millis(100));
            }
            client.journal
        });
        is_idle.wait();
        site.stop();
        let tally = tally([client]);
        tally.expect_all(200);
        let took = site.expect_report(&tally, 0).took;
        assert!(took >= LIMIT && took < LIMIT + SLACK, "{took:?}");
    });
}
