//! Connections without a request at the signal: the server closes none under a request that is on
//! its way.

use std::net::TcpStream;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

#[cfg(target_os = "linux")]
use crate::harness::system;
use crate::harness::{LIMIT, Program, Signal, program};
use crate::http::{Connection, Ending};

type Client = Connection<TcpStream>;

/// Quiet window that is long enough for a test to act within it.
const WINDOW: Duration = Duration::from_secs(2);

/// Default of the time that a client has for a request's head.
const HEAD: Duration = Duration::from_secs(5);

/// Starts a server with the quiet window `WINDOW`, connects clients, and begins the stop. Returns
/// the time of the signal, too.
fn stopping(connect: impl FnOnce(&str) -> Vec<Client>) -> (Program, Vec<Client>, Instant) {
    let mut program = program!("routes").env("LIFECYCLE_QUIET_WINDOW", "2s").start();
    let clients = connect(&program.address());
    let signalled = Instant::now();
    program.signal(Signal::SIGTERM);
    program.wait_for("stopping");
    (program, clients, signalled)
}

fn connect(address: &str) -> Client {
    Connection::to(address).expect("it listens")
}

/// Opens a connection that has had a request and is kept alive.
fn kept_alive(address: &str) -> Client {
    let mut client = connect(address);
    client.send("GET /").expect("it listens");
    let response = client.response().expect("a response");
    assert!(!response.announces_close(), "{response:?}");
    client
}

fn half_a_head(address: &str) -> Client {
    let mut client = connect(address);
    client.write(b"GET / HTTP/1.1\r\nHos").expect("it listens");
    client
}

/// Waits for the end of a connection on a thread. Returns the end, and its time counted from
/// `since`.
fn ending(mut client: Client, since: Instant) -> JoinHandle<(Ending, Duration)> {
    thread::spawn(move || (client.ending(), since.elapsed()))
}

/// Checks that each client sees an orderly close, and only after the window. The clients only wait.
fn expect_closed_after_the_window(clients: Vec<Client>, signalled: Instant) {
    let endings: Vec<_> = clients.into_iter().map(|client| ending(client, signalled)).collect();
    for ending in endings {
        let (ending, after) = ending.join().expect("no panic");
        assert_eq!(ending, Ending::Closed);
        assert!(after >= WINDOW, "closed after {after:?}");
    }
}

/// Checks that the program ends as soon as the window is over.
fn expect_gone_after_the_window(program: Program) {
    let ended = program.end();
    ended.expect_code(0).expect_did(&["flush", "close_db"]);
    println!("gone {:?} after the window", ended.took.saturating_sub(WINDOW));
    ended.expect_took(WINDOW);
}

/// Checks that a request within the window is answered, and is the last one.
fn expect_answered(client: &mut Client) {
    let response = client.response().expect("a response");
    assert_eq!((response.status, response.body.as_str()), (200, "ok"));
    assert!(response.announces_close(), "{response:?}");
    assert_eq!(client.ending(), Ending::Closed);
}

#[test]
#[cfg(target_os = "linux")]
fn requests_that_arrive_while_the_process_stands_still_are_not_late() {
    let (mut program, mut clients, _) = stopping(|address| {
        let many = 0..20;
        many.flat_map(|_| [kept_alive(address), connect(address), half_a_head(address)]).collect()
    });
    // The window has begun for all connections.
    program.wait_for("waiting for 60 connections without a request");
    program.signal(Signal::SIGSTOP);
    let pid = program.pid();
    program.wait_while(|| !system::is_stopped(pid));
    for (number, client) in clients.iter_mut().enumerate() {
        if number % 3 == 2 {
            client.write(b"t: x\r\n\r\n").expect("it is open");
        } else {
            client.send("GET /").expect("it is open");
        }
    }
    // By then the window is over.
    thread::sleep(WINDOW + Duration::from_secs(1));
    program.signal(Signal::SIGCONT);
    for client in &mut clients {
        expect_answered(client);
    }
    program.end().expect_code(0).expect_said(&[": 80 requests finished, 0 cut off"]);
}

#[test]
fn a_server_without_connections_stops_at_once() {
    let start = program!("routes").env("LIFECYCLE_QUIET_WINDOW", "20s");
    let ended = start.start().ready().stop();
    ended.expect_code(0).expect_did(&["flush", "close_db"]);
    println!("gone {:?} after the signal", ended.took);
    ended.expect_took(Duration::ZERO);
}

#[test]
fn a_server_whose_clients_have_left_stops_at_once() {
    let mut program = program!("routes").env("LIFECYCLE_QUIET_WINDOW", "20s").start();
    let address = program.address();
    (0..50).for_each(|_| drop(kept_alive(&address)));
    let ended = program.stop();
    ended.expect_code(0).expect_did(&["flush", "close_db"]);
    ended.expect_took(Duration::ZERO);
}

#[test]
fn idle_connections_are_closed_in_order_when_the_quiet_window_is_over() {
    let (program, clients, signalled) =
        stopping(|address| (0..50).map(|_| kept_alive(address)).collect());
    expect_closed_after_the_window(clients, signalled);
    expect_gone_after_the_window(program);
}

#[test]
fn an_idle_connection_may_send_one_more_request_within_the_quiet_window() {
    let (program, mut clients, signalled) =
        stopping(|address| (0..50).map(|_| kept_alive(address)).collect());
    let waiting = clients.split_off(10);
    for client in &mut clients {
        client.send("GET /").expect("it is open");
        expect_answered(client);
    }
    assert!(signalled.elapsed() < WINDOW, "this machine is too slow to tell");
    expect_closed_after_the_window(waiting, signalled);
    expect_gone_after_the_window(program);
}

#[test]
fn the_stop_ends_with_the_last_connection_and_not_with_the_quiet_window() {
    let mut program = program!("routes").env("LIFECYCLE_QUIET_WINDOW", "20s").start();
    let address = program.address();
    let mut clients: Vec<_> = (0..10).map(|_| kept_alive(&address)).collect();
    program.signal(Signal::SIGTERM);
    program.wait_for("stopping");
    for client in &mut clients {
        client.send("GET /").expect("it is open");
        expect_answered(client);
    }
    let ended = program.end();
    ended.expect_code(0);
    ended.expect_took(Duration::ZERO);
}

#[test]
fn a_silent_connection_may_send_its_first_request_within_the_quiet_window() {
    let (program, mut clients, signalled) =
        stopping(|address| (0..10).map(|_| connect(address)).collect());
    let waiting = clients.split_off(5);
    for client in &mut clients {
        client.send("GET /").expect("it is open");
        expect_answered(client);
    }
    expect_closed_after_the_window(waiting, signalled);
    expect_gone_after_the_window(program);
}

#[test]
fn half_a_head_may_be_completed_within_the_quiet_window() {
    let (program, mut clients, signalled) =
        stopping(|address| (0..10).map(|_| half_a_head(address)).collect());
    let waiting = clients.split_off(5);
    for client in &mut clients {
        client.write(b"t: test\r\n\r\n").expect("it is open");
        expect_answered(client);
    }
    expect_closed_after_the_window(waiting, signalled);
    expect_gone_after_the_window(program);
}

#[test]
fn half_a_head_holds_nothing_up_byte_by_byte_beyond_the_time_for_a_head() {
    let (mut program, mut clients, signalled) = stopping(|address| vec![half_a_head(address)]);
    let mut client = clients.pop().expect("one");
    // The client sends a byte now and then, for longer than any server should accept.
    while signalled.elapsed() < LIMIT && client.write(b"x").is_ok() {
        thread::sleep(Duration::from_millis(50));
    }
    program.wait_for("exit code 0");
    let ended = program.end();
    ended.expect_code(0).expect_did(&["flush", "close_db"]);
    assert!(ended.took < 2 * HEAD, "{:?}\n{ended}", ended.took);
}

#[test]
fn how_long_an_idle_connection_is_kept_is_set_from_outside() {
    let kept = |keep_alive: &str| {
        let mut program = program!("routes").env("LIFECYCLE_KEEP_ALIVE", keep_alive).start();
        let mut client = connect(&program.address());
        let asked = Instant::now();
        client.send("GET /").expect("it listens");
        let closes = client.response().expect("a response").announces_close();
        assert_eq!(client.ending(), Ending::Closed);
        let took = asked.elapsed();
        program.stop().expect_code(0);
        (closes, took)
    };
    let (closes, took) = kept("1s");
    // The time counts from the request, and not from the answer, by a clock of half seconds. The
    // default is longer.
    assert!(
        !closes && (Duration::from_millis(500)..Duration::from_secs(30)).contains(&took),
        "{took:?}"
    );
    assert!(kept("off").0);
}

#[test]
fn a_client_that_thinks_for_longer_than_actix_waits_finds_its_connection_open() {
    let mut program = program!("routes").start();
    let mut client = kept_alive(&program.address());
    // `HttpServer` would close the connection after 5 s.
    let answered = Instant::now();
    program.wait_while(|| answered.elapsed() < Duration::from_millis(6500));
    client.send("GET /").expect("it is open");
    assert_eq!(client.response().expect("a response").status, 200);
    program.stop().expect_code(0);
}

#[test]
fn idle_connections_have_no_more_time_than_the_drain() {
    let start = program!("routes")
        .env("LIFECYCLE_QUIET_WINDOW", "20s")
        .env("LIFECYCLE_DRAIN_TIMEOUT", "1s");
    let mut program = start.start();
    let address = program.address();
    let _clients = [kept_alive(&address), kept_alive(&address)];
    let ended = program.stop();
    // No client sent a request, so none was cut off.
    ended.expect_code(0).expect_took(Duration::from_secs(1)).expect_did(&["flush", "close_db"]);
    ended.expect_said(&["2 requests finished, 0 cut off, 2 connections cut off"]);
}
