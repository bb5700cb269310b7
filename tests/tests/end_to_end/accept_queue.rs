//! Connections that the system has accepted and the server has not. Their clients are connected,
//! and may have sent a request.

use std::collections::VecDeque;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use lifecycle_tests::skipped;

use crate::harness::{Signal, own_address, program};
use crate::http::{Connection, Ending};

type Client = Connection<TcpStream>;

/// Returns whether the request was served, or was refused by a 503. Nothing else may happen to it.
fn is_served(client: &mut Client, expected: &str) -> bool {
    let response = client.response().expect("a response");
    match response.status {
        200 => assert_eq!(response.body, expected),
        503 => assert!(response.announces_close(), "{response:?}"),
        _ => panic!("{response:?}"),
    }
    if response.announces_close() {
        assert_eq!(client.ending(), Ending::Closed);
    }
    response.status == 200
}

#[test]
fn what_waits_for_a_busy_server_is_served_or_refused_in_words() {
    let mut program = program!("routes").args("max-connections=1").start();
    let address = program.address();
    let connect = |_| Connection::to(&address).expect("it listens");
    let mut busy = connect(0);
    busy.send("GET /held/busy").expect("it listens");
    program.wait_until_said("held busy");
    let mut waiting: Vec<Client> = (0..10).map(connect).collect();
    for (number, client) in waiting.iter_mut().enumerate() {
        client.send(&format!("GET /run/waiting-{number}")).expect("it listens");
    }
    let mut silent = connect(0);
    program.signal(Signal::SIGTERM);
    program.wait_for("stopping");
    program.tell("busy");
    assert!(is_served(&mut busy, "busy"));
    let mut served = Vec::new();
    for (number, client) in waiting.iter_mut().enumerate() {
        let name = format!("waiting-{number}");
        if is_served(client, &name) {
            served.push(format!("run {name}"));
        }
    }
    // The client has not asked for anything, so the server may tell it not to.
    assert!(!matches!(silent.ending(), Ending::Broken(_)), "{:?}", silent.ending());
    println!("{} of 10 were served", served.len());
    let ended = program.end();
    ended.expect_code(0);
    let did = ended.did();
    let mut run: Vec<_> = did.iter().filter(|line| line.starts_with("run ")).copied().collect();
    run.sort_unstable();
    assert_eq!(run, served, "others ran than were answered");
}

#[test]
fn connections_that_come_with_the_signal_are_served_or_refused_in_words() {
    crowded(&own_address());
}

#[test]
fn so_are_those_that_come_over_ipv6() {
    if TcpListener::bind("[::1]:0").is_err() {
        return skipped("there is no IPv6 here");
    }
    // IPv6 has nothing like all of 127.0.0.0/8. So each process has a port of its own, which nobody
    // gets who asks for a free one.
    crowded(&format!("[::1]:{}", 10_000 + std::process::id() % 10_000));
}

/// Lets a crowd connect to a server at this address, and stops the server.
fn crowded(address: &str) {
    let program = program!("routes").env("LIFECYCLE_BIND", address);
    // This is longer than a busy machine keeps a client from sending its request.
    let mut program = program.env("LIFECYCLE_QUIET_WINDOW", "10s").start().ready();
    let connected = Arc::new(AtomicUsize::new(0));
    let crowd = |_| {
        let (address, connected) = (address.to_owned(), Arc::clone(&connected));
        thread::spawn(move || crowd_in(&address, &connected))
    };
    let threads: Vec<_> = (0..4).map(crowd).collect();
    program.wait_while(|| connected.load(Ordering::SeqCst) < 2000);
    program.signal(Signal::SIGTERM);
    let served: usize = threads.into_iter().map(|thread| thread.join().expect("no panic")).sum();
    let connected = connected.load(Ordering::SeqCst);
    println!("{served} of {connected} were served");
    assert!(served >= 1000, "{served} of {connected}");
    program.end().expect_code(0).expect_said(&[&format!("{served} requests finished, 0 cut off")]);
}

/// Connects and sends requests until the server is gone, and only then waits for the answers that
/// are left. Returns the number of requests that were served.
fn crowd_in(address: &str, connected: &AtomicUsize) -> usize {
    /// Number of requests that may be unanswered at a time.
    const CROWD: usize = 50;
    let mut unanswered = VecDeque::new();
    let mut served = 0;
    loop {
        match Connection::to(address) {
            Ok(mut client) => {
                client.send("GET /").expect("it was established");
                connected.fetch_add(1, Ordering::SeqCst);
                unanswered.push_back(client);
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => break,
            Err(error) => panic!("it was established and ended: {error}"),
        }
        if unanswered.len() > CROWD {
            served += usize::from(is_served(&mut unanswered.pop_front().expect("a crowd"), "ok"));
        }
    }
    served
        + unanswered.iter_mut().filter_map(|client| is_served(client, "ok").then_some(())).count()
}
