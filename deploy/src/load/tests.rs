//! Clients and a server that answers each connection as it is told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;

use super::*;

/// Serves one request on each of as many connections as there are answers, and then refuses.
fn serve(answers: &'static [&'static str]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    thread::spawn(move || {
        for answer in answers {
            let (stream, _) = listener.accept().expect("a connection");
            let mut reader = BufReader::new(stream);
            let (mut line, mut length) = (String::new(), 0);
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                if let Some(value) = line.strip_prefix("Content-Length: ") {
                    length = value.trim().parse().expect("a number");
                }
                line.clear();
            }
            reader.read_exact(&mut vec![0; length]).expect("a body");
            reader.into_inner().write_all(answer.as_bytes()).expect("a client");
        }
    });
    address
}

/// Runs one client until each answer has been given and a connection has been refused.
fn outcome_of(habit: Habit, answers: &'static [&'static str]) -> Outcome {
    let (address, shared) = (serve(answers), Shared::default());
    let mut client = Client::new(&address, 0, habit, &shared);
    for _ in answers {
        client.use_up(Connection::to(&address).expect("it listens"));
    }
    client.outcome
}

#[test]
fn everything_but_the_answer_of_the_service_is_a_loss() {
    let outcome = outcome_of(
        Habit::Fresh,
        &[
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
            "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
            "",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[",
        ],
    );
    assert_eq!((outcome.answered, outcome.lost), (1, 3), "{outcome}");
    assert!(outcome.to_string().starts_with("3 of 4 requests lost"), "{outcome}");
}

#[test]
fn a_write_counts_once_it_is_acknowledged() {
    let outcome = outcome_of(
        Habit::SlowBody,
        &["HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"],
    );
    assert_eq!(outcome.written.iter().collect::<Vec<_>>(), ["client 0 request 1"]);
    assert_eq!(outcome.lost, 1, "{outcome}");
}

#[test]
fn a_kept_connection_that_ends_without_a_word_is_a_loss() {
    let outcome = outcome_of(Habit::KeptAlive, &["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"]);
    assert_eq!((outcome.answered, outcome.lost), (1, 1), "{outcome}");
    let announced = outcome_of(
        Habit::KeptAlive,
        &["HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n[]"],
    );
    assert_eq!((announced.answered, announced.lost), (1, 0), "{announced}");
}

#[test]
fn a_connection_that_is_refused_is_a_loss() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    drop(listener);
    let load = Load::start(&address, FRESH);
    while load.lost() == 0 {
        thread::yield_now();
    }
    let outcome = load.end();
    assert!(outcome.answered == 0 && outcome.lost > 0, "{outcome}");
    assert!(outcome.losses[0].contains("connecting: "), "{outcome}");
}
