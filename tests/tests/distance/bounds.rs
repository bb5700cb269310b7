//! How long a stop takes beyond what it waits for: the median of some, as a busy machine delays one or the other.

use std::thread::sleep;
use std::time::{Duration, Instant};

use lifecycle_tests::rig::Link;

use crate::clients::{Protocol, connect};
use crate::site::{Site, expect_report, gate, joined};
use crate::{WINDOW, at_each};

const DISTANCES: [u64; 1] = [40];

/// Stops of which the median counts.
const STOPS: usize = 7;

/// Does this so many times, and returns the median of what it takes.
fn median(stop: impl Fn() -> Duration) -> Duration {
    let mut times: Vec<_> = (0..STOPS).map(|_| stop()).collect();
    times.sort_unstable();
    println!("{times:?}");
    times[STOPS / 2]
}

#[test]
fn a_stop_ends_with_the_last_response() {
    at_each(&DISTANCES, &Protocol::ALL, |protocol, link| {
        let rtt = link.rtt;
        let took = median(|| after_the_last_response(protocol, link.clone()));
        assert!(took < 2 * rtt + Duration::from_millis(200), "{took:?}");
    });
}

/// Returns the time from the last byte of the response until the program has gone.
fn after_the_last_response(protocol: Protocol, link: Link) -> Duration {
    let mut site = Site::start(protocol, link, |start| start);
    let client = site.client(|target| {
        let mut client = connect(target, target.journal("one")).unwrap_or_else(|journal| panic!("{journal}"));
        client.get("/held/one");
        let answered = Instant::now();
        (client.end(), answered)
    });
    site.program.wait_until_said("held one");
    let signalled = site.stop();
    sleep(WINDOW);
    site.program.tell("one");
    let ended = site.program.end();
    let (journal, answered) = joined(client);
    assert!(!journal.is_bad(), "{journal}");
    expect_report(&ended, 1, 0);
    (signalled + ended.took).saturating_duration_since(answered)
}

#[test]
fn a_stop_without_requests_ends_with_the_quiet_window() {
    at_each(&DISTANCES, &Protocol::ALL, |protocol, link| {
        let rtt = link.rtt;
        let took = median(|| without_requests(protocol, link.clone()));
        assert!(took < WINDOW + 3 * rtt + Duration::from_millis(300), "{took:?}");
    });
}

/// Returns the time from the signal until the program has gone.
fn without_requests(protocol: Protocol, link: Link) -> Duration {
    let mut site = Site::start(protocol, link, |start| start);
    let (idle, is_idle) = gate();
    let client = site.client(move |target| {
        let mut client = connect(target, target.journal("one")).unwrap_or_else(|journal| panic!("{journal}"));
        client.get("/");
        idle.open();
        client.end()
    });
    is_idle.wait();
    site.stop();
    let ended = site.program.end();
    let journal = joined(client);
    assert!(!journal.is_bad(), "{journal}");
    expect_report(&ended, 1, 0);
    ended.took
}
