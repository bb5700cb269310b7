//! Large responses on slow ways: a response is over when its client has it, even if a buffer has
//! taken it long before.

use std::fmt;
use std::path::Path;
use std::thread;
use std::time::Duration;

use lifecycle_tests::rig::Link;

use crate::clients::{Http1, Http2, Protocol, Reading, Tally, Target};
use crate::for_each;
use crate::harness::{Signal, program};
use crate::site::{Site, expect_report, gate, tally};
use crate::vanished::interrupt;

/// Response and the way that it takes.
#[derive(Clone)]
struct Case {
    protocol: Protocol,
    link: Link,
    length: usize,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}, {} KiB", self.protocol, self.link, self.length >> 10)
    }
}

const KIB: usize = 1 << 10;

/// Checks responses whose heads have come when the signal comes.
#[test]
fn a_large_response_comes_whole() {
    let ways = [
        (Link::rtt(1).bandwidth(1_000_000), 128 * KIB),
        (Link::rtt(10).bandwidth(1_000_000), 128 * KIB),
        (Link::rtt(10).bandwidth(10_000_000), 1024 * KIB),
        (Link::rtt(40), 1024 * KIB),
        (Link::rtt(100), 1024 * KIB),
        (Link::rtt(300).bandwidth(10_000_000), 512 * KIB),
    ];
    let case = |(link, length): &(Link, usize), protocol| Case {
        protocol,
        link: link.clone(),
        length: *length,
    };
    let cases = ways.iter().flat_map(|way| Protocol::ALL.map(|protocol| case(way, protocol)));
    for_each(cases, Case::to_string, |case| come_whole(case, |_| {}));
}

#[test]
fn a_large_response_survives_an_outage_of_the_network() {
    let ways = [10, 100].map(|rtt| Link::rtt(rtt).bandwidth(10_000_000));
    let case = |link: &Link, protocol| Case { protocol, link: link.clone(), length: 2048 * KIB };
    let cases = ways.iter().flat_map(|link| Protocol::ALL.map(|protocol| case(link, protocol)));
    for_each(cases, Case::to_string, |case| come_whole(case, interrupt));
}

/// Has a client request a response, begins the stop when its head has come, and then calls `act`.
fn come_whole(Case { protocol, link, length }: Case, act: impl FnOnce(&Site)) {
    let mut site = Site::start(protocol, link, |start| start);
    let (begun, has_begun) = gate();
    let client = site.client(move |target| {
        let path = format!("/big/{length}");
        let journal = target.journal("one");
        if protocol.is_http2() {
            let mut client =
                Http2::connect(target, journal, Reading::default()).expect("it listens");
            let stream = client.open(&path);
            client.wait_for_head(stream);
            begun.open();
            client.wait(stream);
            client.finish()
        } else {
            Http1::connect(target, journal)
                .expect("it listens")
                .get_large(&path, length, || begun.open())
        }
    });
    has_begun.wait();
    site.stop();
    act(&site);
    let tally = tally([client]);
    tally.expect_all(200);
    site.expect_report(&tally, 0);
}

/// Checks a client on plain loopback that reads 64 KiB in 10 ms, which is about 6 MB/s.
#[test]
fn a_client_that_reads_slowly_on_the_same_machine_gets_all_of_it() {
    let mut program = program!("routes").args("h2c").start().ready();
    let target = Target::new(Protocol::H2c, program.address(), Path::new(""));
    let (begun, has_begun) = gate();
    let client = thread::spawn(move || {
        let reading = Reading { pace: Duration::from_millis(10), ..Reading::default() };
        let mut client =
            Http2::connect(&target, target.journal("slow"), reading).expect("it listens");
        let stream = client.open(&format!("/big/{}", 2048 * KIB));
        client.wait_for_head(stream);
        begun.open();
        client.wait(stream);
        client.finish()
    });
    has_begun.wait();
    program.signal(Signal::SIGTERM);
    let tally = Tally(vec![client.join().expect("no panic")]);
    tally.expect_all(200);
    expect_report(&program.end(), 1, 0);
}
