//! Web sockets: a handler at work has its time, and the goodbye comes with the end of the listener.

mod handlers;

use std::time::{Duration, Instant};

use lifecycle_tests::http::Transport;
use lifecycle_tests::rig::Link;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Error, Message, WebSocket};

use crate::clients::{Protocol, Target, upgrade};
use crate::site::{Site, expect_report, gate, joined};
use crate::{DISTANCES, SLACK, at_each, at_each_way};

type Socket = WebSocket<Box<dyn Transport>>;

fn connect(target: &Target, path: &str) -> Socket {
    let Ok(transport) = target.open() else { panic!("it listens") };
    upgrade(transport, path).expect("an upgrade")
}

fn expect_echo(socket: &mut Socket) {
    socket.send(Message::text("hello")).expect("it is open");
    assert_eq!(socket.read().expect("an echo"), Message::text("hello"));
}

/// Reads until the Close frame and answers it. Returns the texts before it, and its code.
fn until_close(socket: &mut Socket) -> (Vec<String>, CloseCode) {
    let mut texts = Vec::new();
    let code = loop {
        match socket.read() {
            Ok(Message::Close(close)) => break close.expect("a code").code,
            Ok(message) => texts.push(message.into_text().expect("a text").to_string()),
            Err(error) => panic!("no Close, but {error} after {texts:?}"),
        }
    };
    match socket.read() {
        Err(Error::ConnectionClosed) => {}
        other => panic!("{other:?} after the Close"),
    }
    (texts, code)
}

/// Connects this many clients and stops the server. Checks that each gets a Close and nothing else,
/// and returns the times at which they have closed their connections.
fn stop_beside(site: &mut Site, clients: usize) -> Vec<Instant> {
    let (open, is_open) = gate();
    let clients: Vec<_> = (0..clients)
        .map(|_| {
            let open = open.clone();
            site.client(move |target| {
                let mut socket = connect(target, "/echo");
                expect_echo(&mut socket);
                open.open();
                let goodbye = until_close(&mut socket);
                (goodbye, Instant::now())
            })
        })
        .collect();
    for _ in &clients {
        is_open.wait();
    }
    site.stop();
    let mut closed = Vec::new();
    for client in clients {
        let (goodbye, at) = joined(client);
        assert_eq!(goodbye, (Vec::new(), CloseCode::Away));
        closed.push(at);
    }
    closed
}

#[test]
fn many_websockets_get_one_close_each() {
    at_each(&DISTANCES, &[Protocol::Http1], |protocol, link| many(protocol, link, 100));
}

fn many(protocol: Protocol, link: Link, count: usize) {
    let mut site = Site::start(protocol, link, |start| start);
    stop_beside(&mut site, count);
    let rtt = site.rtt;
    let ended = site.program.end();
    expect_report(&ended, count, 0);
    assert!(ended.took < 3 * rtt + SLACK, "{:?}\n{ended}", ended.took);
}

#[test]
fn a_handler_at_work_on_a_message_finishes_it_before_the_close() {
    at_each(&[1, 40, 300], &Protocol::HTTP1, at_work);
}

fn at_work(protocol: Protocol, link: Link) {
    let mut site = Site::start(protocol, link, |start| start);
    let client = site.client(|target| {
        let mut socket = connect(target, "/busy");
        socket.send(Message::text("3000")).expect("it is open");
        until_close(&mut socket)
    });
    site.program.wait_until_said("busy");
    site.stop();
    assert_eq!(joined(client), (vec!["worked 3000".to_owned()], CloseCode::Away));
    let ended = site.program.end();
    ended.expect_code(0).expect_said(&["0 cut off"]);
    assert!(ended.did().contains(&"busy sent"), "{ended}");
}

#[test]
fn a_handler_at_work_for_longer_than_there_is_time_is_cut_off_and_named() {
    at_each(&[10, 300], &Protocol::HTTP1, |protocol, link| {
        let mut site =
            Site::start(protocol, link, |start| start.env("LIFECYCLE_DRAIN_TIMEOUT", "1500ms"));
        let client = site.client(|target| {
            let mut socket = connect(target, "/busy");
            socket.send(Message::text("60000")).expect("it is open");
            while socket.read().is_ok() {}
        });
        site.program.wait_until_said("busy");
        site.stop();
        joined(client);
        let ended = site.program.end();
        ended.expect_code(3).expect_said(&["1 cut off", "cut off: GET /busy "]);
        assert!(!ended.did().contains(&"busy sent"), "{ended}");
    });
}

#[test]
fn websockets_work_as_before_until_the_drain_delay_is_over() {
    // The slowest client needs seven round trips for its exchanges meanwhile.
    const DELAY: Duration = Duration::from_secs(4);
    at_each(&DISTANCES, &Protocol::HTTP1, |protocol, link| {
        let mut site =
            Site::start(protocol, link, |start| start.env("LIFECYCLE_DRAIN_DELAY", "4s"));
        let (open, is_open) = gate();
        let (go, may_go) = gate();
        let client = site.client(move |target| {
            let mut old = connect(target, "/echo");
            expect_echo(&mut old);
            open.open();
            may_go.wait();
            expect_echo(&mut old);
            let mut new = connect(target, "/echo");
            expect_echo(&mut new);
            expect_echo(&mut old);
            let goodbye = until_close(&mut old);
            let closed = Instant::now();
            (goodbye, until_close(&mut new), closed)
        });
        is_open.wait();
        let signalled = site.stop();
        go.open();
        let (old, new, closed) = joined(client);
        assert_eq!((old, new), ((Vec::new(), CloseCode::Away), (Vec::new(), CloseCode::Away)));
        // The Close has arrived half a round trip after it was sent.
        let after = closed - signalled;
        assert!(after >= DELAY + site.rtt / 2, "closed {after:?} after the signal");
        site.program.end().expect_code(0);
    });
}

#[test]
fn a_handler_that_hears_of_the_stop_has_the_last_word() {
    at_each(&DISTANCES, &Protocol::HTTP1, last_word);
}

fn last_word(protocol: Protocol, link: Link) {
    let mut site = Site::start(protocol, link, |start| start.env("LIFECYCLE_DRAIN_DELAY", "1s"));
    let (open, is_open) = gate();
    let client = site.client(move |target| {
        let mut socket = connect(target, "/farewell");
        expect_echo(&mut socket);
        open.open();
        until_close(&mut socket)
    });
    is_open.wait();
    site.stop();
    assert_eq!(joined(client), (vec!["farewell".to_owned()], CloseCode::Library(4000)));
    site.program.end().expect_code(0).expect_said(&["0 cut off"]);
}

#[test]
fn a_client_that_does_not_answer_the_close_is_dropped_after_a_while() {
    at_each(&[10, 300], &[Protocol::Http1], |protocol, link| {
        let mut site = Site::start(protocol, link, |start| start);
        let (open, is_open) = gate();
        let (gone, is_gone) = gate();
        let client = site.client(move |target| {
            let mut socket = connect(target, "/echo");
            expect_echo(&mut socket);
            open.open();
            is_gone.wait();
            drop(socket);
        });
        is_open.wait();
        site.stop();
        // The client stays until the server has gone.
        site.program.wait_for("server closed in");
        gone.open();
        joined(client);
        let ended = site.program.end();
        ended.expect_code(0).expect_said(&["0 cut off"]);
        assert!(
            ended.took < Duration::from_secs(1) + 2 * site.rtt + SLACK,
            "{:?}\n{ended}",
            ended.took
        );
    });
}

#[test]
fn messages_that_have_come_at_the_signal_are_answered_before_the_close() {
    at_each(&DISTANCES, &Protocol::HTTP1, just_answered);
}

fn just_answered(protocol: Protocol, link: Link) {
    let mut site = Site::start(protocol, link, |start| start);
    let client = site.client(|target| {
        let mut socket = connect(target, "/loud");
        expect_echo(&mut socket);
        socket.send(Message::text("last")).expect("it is open");
        until_close(&mut socket)
    });
    // The answer is on its way at the signal.
    site.program.wait_until_said("loud last");
    site.stop();
    assert_eq!(joined(client), (vec!["last".to_owned()], CloseCode::Away));
    site.program.end().expect_code(0);
}

#[test]
fn narrow_and_lossy_ways_change_nothing_for_websockets() {
    at_each_way(&Protocol::HTTP1, |protocol, link| {
        many(protocol, link.clone(), 10);
        at_work(protocol, link.clone());
        last_word(protocol, link.clone());
        just_answered(protocol, link);
    });
}
