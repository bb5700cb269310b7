//! Bodies of requests that are on their way at the signal, and answers that don't wait for them.

use std::thread::sleep;
use std::time::{Duration, Instant};

use lifecycle_tests::http::head;
use lifecycle_tests::rig::Link;

use crate::clients::{Client, Http1, Http2, Journal, Protocol, Reading, Target};
use crate::site::{Gate, Key, Site, gate, joined, tally};
use crate::{DISTANCES, SLACK, at_each, at_each_way};

/// Length of one part of a body. Five parts fit into any window that an HTTP/2 server begins with.
const PART: usize = 8 * 1024;

#[test]
fn a_body_that_is_coming_at_the_signal_is_read_to_its_end() {
    at_each(&DISTANCES, &Protocol::ALL, coming);
}

fn coming(protocol: Protocol, link: Link) {
    let mut site = Site::start(protocol, link, |start| start);
    let pause = site.rtt.max(Duration::from_millis(100));
    let (go, may_go) = gate();
    let client = site.client(move |target| {
        if protocol.is_http2() {
            upload_2(target, &may_go, pause)
        } else {
            upload_1(target, &may_go, pause)
        }
    });
    site.program.wait_until_said("upload");
    site.stop();
    go.open();
    let tally = tally([client]);
    tally.expect_all(200);
    site.expect_report(&tally, 0);
}

fn upload_1(target: &Target, may_go: &Gate, pause: Duration) -> Journal {
    let mut client = Http1::connect(target, target.journal("one")).expect("it listens");
    client.write("POST /upload", head("POST /upload", 5 * PART).as_bytes());
    client.write("POST /upload", &[b'x'; PART]);
    may_go.wait();
    for _ in 1..5 {
        client.write("POST /upload", &[b'x'; PART]);
        sleep(pause);
    }
    let reply = client.receive();
    assert!(
        reply.is_none_or(|reply| reply.body == (5 * PART).to_string()),
        "not all of it\n{}",
        client.journal
    );
    Box::new(client).end()
}

fn upload_2(target: &Target, may_go: &Gate, pause: Duration) -> Journal {
    let mut client =
        Http2::connect(target, target.journal("one"), Reading::default()).expect("it listens");
    let stream = client.post("/upload");
    client.data(stream, &[b'x'; PART], false);
    may_go.wait();
    for number in 1..5 {
        client.data(stream, &[b'x'; PART], number == 4);
        sleep(pause);
    }
    let reply = client.wait(stream);
    assert!(
        reply.is_none_or(|reply| reply.body == (5 * PART).to_string()),
        "not all of it\n{}",
        client.journal
    );
    client.finish()
}

/// Sends the whole body before it looks for the answer, as Python's `http.client` and others do.
fn refused_upload(target: &Target, request: &str, length: usize, may_go: &Gate) -> Journal {
    let mut client = Http1::connect(target, target.journal(request)).expect("it listens");
    client.write(request, head(request, length).as_bytes());
    may_go.wait();
    for chunk in vec![b'x'; length].chunks(16 * 1024) {
        client.write(request, chunk);
    }
    let has_sent_all = client.has_sent_all();
    client.receive();
    assert!(has_sent_all, "what it sent met a closed connection\n{}", client.journal);
    client.journal
}

/// Returns the length of a body that takes longer to send than the answer takes, with a slow start.
fn length(link: &Link) -> usize {
    if link.loss > 0.0 || link.bandwidth == Some(1_000_000) {
        return 128 << 10;
    }
    match link.rtt.as_millis() {
        0..=10 => 1024 << 10,
        11..=40 => 512 << 10,
        41..=100 => 256 << 10,
        _ => 48 << 10,
    }
}

#[test]
fn an_answer_that_does_not_read_the_body_reaches_a_client_that_sends_all_of_it_first() {
    at_each(&DISTANCES, &Protocol::HTTP1, |protocol, link| {
        answered_early(protocol, link.bandwidth(10_000_000));
    });
}

fn answered_early(protocol: Protocol, link: Link) {
    // A busy machine may take longer than the default to send a body.
    let length = length(&link);
    let mut site = Site::start(protocol, link, |start| start.args("disconnect=5000"));
    let upload = |site: &Site, request: &'static str| {
        let (go, may_go) = gate();
        (site.client(move |target| refused_upload(target, request, length, &may_go)), go)
    };
    let (client, go) = upload(&site, "POST /early/rest");
    site.program.wait_until_said("early 1");
    site.program.tell("rest");
    go.open();
    let at_rest = joined(client);
    assert_eq!(at_rest.statuses(), [413], "at rest\n{at_rest}");
    let (client, go) = upload(&site, "POST /early/stop");
    site.program.wait_until_said("early 2");
    site.stop();
    site.program.tell("stop");
    go.open();
    let mut tally = tally([client]);
    tally.expect_all(413);
    tally.0.push(at_rest);
    site.expect_report(&tally, 0);
}

/// Time from one part of a body to the next.
const PAUSE: Duration = Duration::from_millis(50);

#[test]
fn an_early_answer_over_http2_is_read_and_what_is_sent_behind_it_does_no_harm() {
    at_each(&DISTANCES, &Protocol::HTTP2, |protocol, link| {
        let mut site = Site::start(protocol, link, |start| start);
        let (told, is_told) = gate();
        let client = site.client(move |target| {
            let (mut client, stream) = answered_upload_2(target, &is_told);
            for _ in 0..10 {
                client.data(stream, b"part", false);
                sleep(PAUSE);
            }
            client.finish()
        });
        site.program.wait_until_said("early 1");
        site.stop();
        site.program.tell("one");
        told.open();
        let tally = tally([client]);
        tally.expect_all(413);
        site.expect_report(&tally, 0);
    });
}

/// Sends a body until the server is told to answer, and waits for the answer.
fn answered_upload_2(target: &Target, is_told: &Gate) -> (Http2, u32) {
    let mut client =
        Http2::connect(target, target.journal("one"), Reading::default()).expect("it listens");
    let stream = client.post("/early/one");
    while !is_told.is_open() {
        client.data(stream, b"part", false);
        sleep(PAUSE);
    }
    client.wait(stream);
    (client, stream)
}

/// Time longer than the server listens to any client.
const ENDLESS: Duration = Duration::from_secs(20);

/// Sends chunk after chunk, looks for the answer in between, and opens `has_answer` when it has
/// come.
fn endless_upload_1(target: &Target, is_told: &Gate, has_answer: &Key) -> Journal {
    let request = "POST /early/one";
    let mut client = Http1::connect(target, target.journal("one")).expect("it listens");
    client.write(
        request,
        format!("{request} HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n")
            .as_bytes(),
    );
    while !is_told.is_open() {
        client.write(request, b"4\r\npart\r\n");
        sleep(PAUSE);
    }
    client.receive();
    has_answer.open();
    let answered = Instant::now();
    while client.has_sent_all() && answered.elapsed() < ENDLESS {
        client.write("what nobody wants", b"4\r\npart\r\n");
        sleep(PAUSE);
    }
    client.journal
}

/// Sends a body without an end on a stream. Behind the answer it reads nothing, so it acknowledges
/// nothing.
fn endless_upload_2(target: &Target, is_told: &Gate) -> Journal {
    let (mut client, stream) = answered_upload_2(target, is_told);
    let answered = Instant::now();
    while client.has_sent_all() && answered.elapsed() < ENDLESS {
        client.data(stream, b"part", false);
        sleep(PAUSE);
    }
    client.journal
}

/// Checks that chunks, though each is a sign of life, give the client no more time than it has.
#[test]
fn a_client_that_never_ends_its_body_gets_its_early_answer_and_holds_the_stop_up_for_a_while_only()
{
    at_each(&DISTANCES, &Protocol::ALL, |protocol, link| {
        let mut site = Site::start(protocol, link, |start| start);
        let (told, is_told) = gate();
        let client = site.client(move |target| {
            if protocol.is_http2() {
                endless_upload_2(target, &is_told)
            } else {
                endless_upload_1(target, &is_told, &gate().0)
            }
        });
        site.program.wait_until_said("early 1");
        site.stop();
        site.program.tell("one");
        told.open();
        let tally = tally([client]);
        tally.expect_all(413);
        let rtt = site.rtt;
        let ended = site.expect_report(&tally, 0);
        // The client has `client_disconnect_timeout`, by default. Over HTTP/2 it has that time
        // twice, to answer a PING and then to stop, and before that `client_request_timeout` to
        // pause, as a request could come.
        let time = Duration::from_secs(if protocol.is_http2() { 5 + 2 } else { 1 });
        assert!(ended.took < time + 4 * rtt + SLACK, "{:?}\n{ended}", ended.took);
    });
}

/// Checks an answer that did not say that it is the last: until the body ends, the next request may
/// come.
#[test]
fn a_body_in_chunks_behind_an_answer_from_before_the_stop_is_read_as_long_as_a_head_may_take() {
    at_each(&DISTANCES, &Protocol::HTTP1, |protocol, link| {
        let mut site = Site::start(protocol, link, |start| start);
        let ((told, is_told), (has_answer, answered)) = (gate(), gate());
        let client = site.client(move |target| endless_upload_1(target, &is_told, &has_answer));
        site.program.wait_until_said("early 1");
        site.program.tell("one");
        told.open();
        answered.wait();
        site.stop();
        let tally = tally([client]);
        tally.expect_all(413);
        let rtt = site.rtt;
        let ended = site.expect_report(&tally, 0);
        // This is `client_request_timeout`.
        let time = Duration::from_secs(5);
        assert!(time <= ended.took && ended.took < time + 4 * rtt + SLACK, "{ended}");
    });
}

#[test]
fn narrow_and_lossy_ways_change_nothing_for_bodies() {
    at_each_way(&Protocol::ALL, |protocol, link| {
        coming(protocol, link.clone());
        if !protocol.is_http2() {
            answered_early(protocol, link);
        }
    });
}
