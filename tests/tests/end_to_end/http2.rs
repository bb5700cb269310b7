//! HTTP/2, over TCP and over TLS: the server sends GOAWAY, and keeps to it.

mod arrivals;
pub(crate) mod client;
pub(crate) mod load;
mod wire;

use std::collections::HashMap;
use std::convert::identity;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Bytes;
use rustls::ClientConfig;
use tempfile::TempDir;

use crate::harness::{Ended, LIMIT, Program, Signal, Start, own_address, program};
use crate::http::{Connection, Ending, tcp};
use crate::tls::{tls, trust};
use client::{Client, Over, answer, body, chunk, connect};
use load::Load;
use wire::{Seen, Wire};

/// Server that speaks HTTP/2, and the parts that its clients need.
struct Server {
    program: Program,
    address: String,
    over: Over,
    folder: TempDir,
}

impl Server {
    fn start(is_tls: bool, set: impl FnOnce(Start) -> Start) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let certificate = folder.path().join("certificate");
        let protocol = if is_tls {
            format!("certificate={}", certificate.display())
        } else {
            "h2c".to_owned()
        };
        let log = format!("log={}", folder.path().join("log").display());
        let mut program = set(program!("routes").args(&protocol).args(&log)).start();
        let address = program.address();
        let over =
            if is_tls { Over::Tls(Arc::new(asking_for_http2(&certificate))) } else { Over::Tcp };
        Self { program, address, over, folder }
    }

    async fn connect(&self) -> Client {
        connect(&self.address, &self.over).await.expect("it listens")
    }

    /// Connects a client that does what it is told to.
    fn wire(&self) -> Wire {
        match &self.over {
            Over::Tcp => Wire::over(tcp(&self.address).expect("it listens")),
            Over::Tls(config) => {
                Wire::over(tls(&self.address, ClientConfig::clone(config)).expect("it listens"))
            }
        }
    }

    fn stop(&mut self) {
        self.program.signal(Signal::SIGTERM);
        self.program.wait_for("stopping");
    }
}

/// Returns the number of times that each line was logged.
fn logged(folder: &TempDir) -> HashMap<String, usize> {
    let text = std::fs::read_to_string(folder.path().join("log")).expect("a log");
    let mut lines = HashMap::new();
    text.lines().for_each(|line| *lines.entry(line.to_owned()).or_default() += 1);
    lines
}

pub(crate) fn asking_for_http2(certificate: &Path) -> ClientConfig {
    let mut config = trust(certificate);
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

/// Runs a check with a server over TCP, and with one over TLS.
fn with_both(set: impl Fn(Start) -> Start, check: impl AsyncFn(Server)) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    for is_tls in [false, true] {
        let server = Server::start(is_tls, &set);
        runtime
            .block_on(async { tokio::time::timeout(LIMIT, check(server)).await.expect("no end") });
    }
}

/// Checks that the connection ends without an error after the last stream.
async fn expect_ended(client: Client) {
    // The connection waits for the server only while somebody could open a stream.
    let ended = client.end.await.expect("no panic");
    assert!(ended.is_ok(), "{ended:?}");
    let error = client.send.ready().await.expect_err("it is over");
    assert!(error.is_go_away() && error.is_remote(), "no goodbye: {error:?}");
}

fn expect_gone(server: Server) -> Ended {
    let ended = server.program.end();
    println!("gone {:?} after the signal", ended.took);
    ended.expect_code(0).expect_said(&["0 cut off"]);
    ended
}

#[test]
fn an_idle_connection_is_told_and_closed() {
    with_both(identity, async |mut server| {
        let mut wire = server.wire();
        wire.get(1, "/");
        assert_eq!(wire.body(1), "ok");
        server.stop();
        let Seen { goodbyes, resets, .. } = wire.rest();
        assert!(goodbyes.iter().all(|(_, code)| *code == 0), "{goodbyes:?}");
        let first = goodbyes.first().map(|(last, _)| *last);
        assert_eq!(first, Some((1 << 31) - 1), "what is on its way is still welcome: {goodbyes:?}");
        assert_eq!(
            goodbyes.last().map(|(last, _)| *last),
            Some(1),
            "the last stream that it took: {goodbyes:?}"
        );
        assert!(resets.is_empty(), "{resets:?}");
        let ended = expect_gone(server);
        ended.expect_took(Duration::ZERO);
    });
}

#[test]
fn connections_that_have_not_sent_a_request_hold_nothing_up() {
    with_both(identity, async |mut server| {
        // Nobody knows yet which protocol the silent client will speak.
        let mut silent = Connection::over(tcp(&server.address).expect("it listens"));
        let client = server.connect().await;
        server.stop();
        expect_ended(client).await;
        assert!(!matches!(silent.ending(), Ending::Sent(_)));
        let ended = expect_gone(server);
        ended.expect_took(Duration::ZERO);
    });
}

#[test]
fn a_handler_that_panics_is_answered_for_and_the_connection_goes_on() {
    with_both(
        |start| start.args("catches"),
        async |mut server| {
            let client = server.connect().await;
            for path in ["/panic", "/panic-in-call"] {
                let stream = client.get(path).await.expect("a stream");
                let answer = answer(stream).await.expect("an answer");
                assert_eq!(answer, (500, "internal server error".to_owned()));
            }
            let stream = client.get("/run/next").await.expect("a stream");
            assert_eq!(answer(stream).await.expect("an answer"), (200, "next".to_owned()));
            server.stop();
            expect_ended(client).await;
            let ended = expect_gone(server);
            ended.expect_said(&["1 request finished, 0 cut off, 2 panicked"]);
            ended.expect_said(&["the handler of GET /panic panicked (after "]);
            ended.expect_said(&["the handler of GET /panic-in-call panicked (after "]);
            assert_eq!(ended.stderr().matches("the handler has no idea").count(), 1, "{ended}");
        },
    );
}

#[test]
fn every_stream_in_flight_is_answered() {
    with_both(identity, async |mut server| {
        let client = server.connect().await;
        let mut streams = Vec::new();
        for number in 0..20 {
            streams.push((
                number,
                client.get(&format!("/held/stream-{number}")).await.expect("a stream"),
            ));
            server.program.wait_until_said(&format!("held stream-{number}"));
        }
        server.program.signal(Signal::SIGTERM);
        // This line comes later than the end of any window.
        server.program.wait_for("waiting for 20 requests: GET /held/stream-0 ");
        for (number, response) in streams {
            server.program.tell(&format!("stream-{number}"));
            assert_eq!(
                answer(response).await.expect("a response"),
                (200, format!("stream-{number}"))
            );
        }
        expect_ended(client).await;
        expect_gone(server).expect_said(&["20 requests finished"]);
    });
}

#[test]
fn bodies_that_span_the_signal_come_to_their_ends() {
    with_both(identity, async |mut server| {
        let client = server.connect().await;
        let (uploaded, mut upload) = client.post("/upload").await.expect("a stream");
        upload.send_data(Bytes::from_static(&[b'x'; 10_000]), false).expect("an open stream");
        server.program.wait_until_said("upload");
        let mut chunks =
            client.get("/chunks").await.expect("a stream").await.expect("a head").into_body();
        assert_eq!(chunk(&mut chunks).await.expect("a chunk"), Some(Bytes::from_static(b"first")));
        server.program.signal(Signal::SIGTERM);
        server.program.wait_for("waiting for 2 requests: POST /upload ");
        upload.send_data(Bytes::from_static(&[b'x'; 10_000]), true).expect("an open stream");
        assert_eq!(answer(uploaded).await.expect("a response"), (200, "20000".to_owned()));
        server.program.tell("chunks");
        assert_eq!(body(&mut chunks).await.expect("the other chunk"), "second");
        drop((chunks, upload));
        expect_ended(client).await;
        expect_gone(server).expect_said(&["2 requests finished"]);
    });
}

#[test]
fn a_stream_opened_before_the_goodbye_was_heard_is_answered_or_refused() {
    with_both(identity, async |mut server| {
        let mut wire = server.wire();
        wire.get(1, "/");
        assert_eq!(wire.body(1), "ok");
        server.stop();
        wire.get(3, "/run/late");
        let seen = wire.rest();
        let is_answered = seen.bodies.get(&3).is_some_and(|body| body == "late");
        assert_ne!(is_answered, seen.is_refused(3), "{seen:?}");
        let ended = expect_gone(server);
        assert_eq!(ended.did().contains(&"run late"), is_answered, "{seen:?}\n{ended}");
        ended.expect_took(Duration::ZERO);
    });
}

#[test]
fn a_stream_opened_after_the_goodbye_does_not_run() {
    with_both(identity, async |mut server| {
        let mut wire = server.wire();
        wire.get(1, "/held/early");
        server.program.wait_until_said("held early");
        server.stop();
        // No client should send this, but a client that does must hold nothing up.
        assert_eq!(wire.last_stream(), 1);
        wire.get(3, "/run/late");
        server.program.tell("early");
        let seen = wire.rest();
        assert_eq!(seen.bodies.get(&1).map(String::as_str), Some("early"), "{seen:?}");
        assert_ne!(seen.bodies.get(&3).map(String::as_str), Some("late"), "{seen:?}");
        assert!(!expect_gone(server).did().contains(&"run late"));
    });
}

#[test]
fn a_stream_that_does_not_end_is_cut_and_named_when_its_time_is_over() {
    with_both(
        |start| start.env("LIFECYCLE_DRAIN_TIMEOUT", "1s"),
        async |mut server| {
            let client = server.connect().await;
            let mut endless =
                client.get("/endless").await.expect("a stream").await.expect("a head").into_body();
            chunk(&mut endless).await.expect("a chunk");
            server.program.signal(Signal::SIGTERM);
            let end = loop {
                match chunk(&mut endless).await {
                    Ok(Some(_)) => {}
                    end => break end,
                }
            };
            assert!(end.is_err(), "it looks as if that were all");
            let ended = server.program.end();
            ended.expect_code(3).expect_took(Duration::from_secs(1));
            ended
                .expect_said(&["request cut off: GET /endless "])
                .expect_did(&["flush", "close_db"]);
        },
    );
}

#[test]
fn connections_full_of_streams_lose_none() {
    with_both(
        // On a busy machine clients are slow to send.
        |start| start.env("LIFECYCLE_BIND", own_address()).env("LIFECYCLE_QUIET_WINDOW", "10s"),
        async |mut server| {
            let load = Load::start(&server.address, server.over.clone());
            load.wait_for(2000).await;
            server.program.signal(Signal::SIGTERM);
            let ended = server.program.end();
            let outcome = load.end().await;
            outcome.expect_nothing_lost();
            println!("{outcome}; gone {:?} after the signal", ended.took);
            ended.expect_code(0).expect_said(&["0 cut off"]);
            let log = logged(&server.folder);
            let runs = |number: &usize| log.get(&number.to_string()).copied().unwrap_or_default();
            assert!(
                outcome.answered.iter().all(|number| runs(number) == 1),
                "answered, and did not run once"
            );
            assert!(outcome.refused.iter().all(|number| runs(number) == 0), "refused, and ran");
        },
    );
}

#[test]
fn a_goodbye_of_the_client_cuts_no_stream_of_its_own() {
    with_both(identity, async |mut server| {
        let mut wire = server.wire();
        wire.get(1, "/held/early");
        server.program.wait_until_said("held early");
        server.stop();
        assert_eq!(wire.last_stream(), 1);
        wire.say_goodbye();
        wire.round_trip();
        server.program.tell("early");
        let seen = wire.rest();
        assert_eq!(seen.bodies.get(&1).map(String::as_str), Some("early"), "{seen:?}");
        assert!(seen.resets.is_empty(), "{seen:?}");
        expect_gone(server).expect_said(&["1 request finished"]);
    });
}

#[test]
fn an_idle_connection_is_kept_for_a_client_that_answers() {
    with_both(
        |start| start.env("LIFECYCLE_KEEP_ALIVE", "1s"),
        async |server| {
            let mut wire = server.wire();
            wire.get(1, "/");
            assert_eq!(wire.body(1), "ok");
            (0..3).for_each(|_| wire.ping());
            wire.get(3, "/");
            assert_eq!(wire.body(3), "ok");
            server.program.stop().expect_code(0);
        },
    );
}

#[test]
fn an_idle_connection_is_dropped_if_its_client_does_not_answer() {
    with_both(
        |start| start.env("LIFECYCLE_KEEP_ALIVE", "1s"),
        async |server| {
            let mut wire = server.wire().mute();
            wire.get(1, "/");
            assert_eq!(wire.body(1), "ok");
            wire.ping();
            wire.expect_end();
            server.program.stop().expect_code(0);
        },
    );
}
