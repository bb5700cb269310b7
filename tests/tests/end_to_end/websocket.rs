//! Web sockets: the server says goodbye with a Close frame of its own, even if the handler knows
//! nothing of the stop.

mod handlers;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Error, Message, WebSocket};

use crate::harness::{Program, Signal, program};
use crate::http::{Connection, tcp};
use crate::tls::{tls, trust};

fn upgraded<S: Read + Write>(stream: S, path: &str) -> WebSocket<S> {
    let Ok((socket, _)) = tungstenite::client(format!("ws://localhost{path}"), stream) else {
        panic!("no upgrade")
    };
    socket
}

fn connect(program: &mut Program, path: &str) -> WebSocket<TcpStream> {
    upgraded(tcp(&program.address()).expect("it listens"), path)
}

/// Upgrades a connection, and never answers a frame on it.
fn mute(program: &mut Program, path: &str) -> Connection<TcpStream> {
    let mut client = Connection::over(tcp(&program.address()).expect("it listens"));
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    client.write(head.as_bytes()).expect("it listens");
    assert!(client.response_head().expect("an upgrade").starts_with("http/1.1 101 "));
    client
}

fn expect_echo<S: Read + Write>(socket: &mut WebSocket<S>) {
    socket.send(Message::text("hello")).expect("it is open");
    assert_eq!(socket.read().expect("an echo"), Message::text("hello"));
}

/// Reads until the Close frame, calls `see` with each message before it, and returns the code.
fn goodbye<S: Read + Write>(socket: &mut WebSocket<S>, mut see: impl FnMut(&Message)) -> CloseCode {
    loop {
        match socket.read().expect("a message") {
            Message::Close(close) => return close.expect("a code").code,
            message => see(&message),
        }
    }
}

/// Answers the Close frame, and checks that only the connection's end follows.
fn expect_over<S: Read + Write>(socket: &mut WebSocket<S>) {
    match socket.read() {
        Err(Error::ConnectionClosed) => {}
        other => panic!("{other:?} after the close"),
    }
}

fn nothing(message: &Message) {
    panic!("{message:?} before the close");
}

#[test]
fn a_websocket_is_closed_with_going_away() {
    let mut program = program!("routes").start();
    let mut sockets: Vec<_> = (0..10).map(|_| connect(&mut program, "/echo")).collect();
    sockets.iter_mut().for_each(expect_echo);
    let signalled = Instant::now();
    program.signal(Signal::SIGTERM);
    for socket in &mut sockets {
        assert_eq!(goodbye(socket, nothing), CloseCode::Away);
    }
    println!("closed {:?} after the signal", signalled.elapsed());
    sockets.iter_mut().for_each(expect_over);
    let ended = program.end();
    println!("gone {:?} after the signal", ended.took);
    ended.expect_code(0).expect_said(&["0 cut off"]).expect_took(Duration::ZERO);
}

#[test]
fn a_websocket_over_tls_is_closed_with_going_away() {
    let folder = tempfile::tempdir().expect("a folder");
    let certificate = folder.path().join("certificate");
    let mut program =
        program!("routes").args(&format!("certificate={}", certificate.display())).start();
    let mut socket =
        upgraded(tls(&program.address(), trust(&certificate)).expect("it listens"), "/echo");
    expect_echo(&mut socket);
    program.signal(Signal::SIGTERM);
    assert_eq!(goodbye(&mut socket, nothing), CloseCode::Away);
    expect_over(&mut socket);
    program.end().expect_code(0);
}

#[test]
fn messages_that_are_being_sent_come_whole_before_the_close_and_none_after_it() {
    let mut program = program!("routes").start();
    let mut socket = connect(&mut program, "/flood");
    let mut next = 0;
    let mut see = |message: &Message| {
        let text = message.to_text().expect("a text");
        assert_eq!((text.len(), text.trim().parse()), (50_000, Ok(next)));
        next += 1;
    };
    (0..100).for_each(|_| see(&socket.read().expect("a message")));
    program.signal(Signal::SIGTERM);
    assert_eq!(goodbye(&mut socket, see), CloseCode::Away);
    expect_over(&mut socket);
    program.end().expect_code(0);
}

#[test]
fn a_handler_that_says_goodbye_itself_is_not_talked_over() {
    let mut program = program!("routes").start();
    let mut sockets: Vec<_> = (0..20).map(|_| connect(&mut program, "/polite")).collect();
    program.signal(Signal::SIGTERM);
    for socket in &mut sockets {
        // Either side may be faster. The client gets one goodbye in any case.
        assert!(matches!(goodbye(socket, nothing), CloseCode::Away | CloseCode::Restart));
        expect_over(socket);
    }
    program.end().expect_code(0);
}

#[test]
fn a_client_that_does_not_answer_the_close_is_dropped_after_a_while() {
    let mut program = program!("routes").start();
    let mut client = mute(&mut program, "/echo");
    program.signal(Signal::SIGTERM);
    let [frame, length] = client.bytes(2).expect("a frame")[..] else { panic!("not two") };
    assert_eq!(frame, 0x88, "the whole of a Close frame");
    let reason = client.bytes(length.into()).expect("the rest of the frame");
    assert_eq!(reason[..2], 1001_u16.to_be_bytes());
    assert!(client.is_closed());
    program.end().expect_code(0).expect_took(Duration::ZERO).expect_said(&["0 cut off"]);
}

#[test]
fn a_client_that_does_not_even_read_the_close_is_dropped_after_a_while() {
    let mut program = program!("routes").start();
    let _client = mute(&mut program, "/flood");
    program.wait_until_said("flood stuck");
    let ended = program.stop();
    ended
        .expect_code(0)
        .expect_took(Duration::ZERO)
        .expect_said(&["0 requests finished, 0 cut off, 1 client went away before its response"]);
}

#[test]
fn what_a_handler_writes_after_the_close_fails() {
    let mut program = program!("routes").start();
    let mut socket = connect(&mut program, "/chatty");
    socket.read().expect("a message");
    program.signal(Signal::SIGTERM);
    assert_eq!(goodbye(&mut socket, |_| {}), CloseCode::Away);
    program.wait_until_said("chatty failed");
    expect_over(&mut socket);
    program.end().expect_code(0);
}

#[test]
fn the_closes_of_many_are_spread_over_the_time_that_is_set() {
    const SPREAD: Duration = Duration::from_secs(2);
    let mut program = program!("routes").args(&format!("spread={}", SPREAD.as_millis())).start();
    let sockets: Vec<_> = (0..100).map(|_| connect(&mut program, "/echo")).collect();
    let signalled = Instant::now();
    program.signal(Signal::SIGTERM);
    let closed = sockets.into_iter().map(|mut socket| {
        std::thread::spawn(move || {
            assert_eq!(goodbye(&mut socket, nothing), CloseCode::Away);
            let after = signalled.elapsed();
            expect_over(&mut socket);
            after
        })
    });
    let mut closed: Vec<_> =
        closed.collect::<Vec<_>>().into_iter().map(|one| one.join().expect("no panic")).collect();
    closed.sort_unstable();
    // That fewer than two of a hundred random moments fall into a quarter is too improbable to ever
    // happen.
    for quarter in 0..4 {
        let within =
            (SPREAD / 4 * quarter)..(SPREAD / 4 * (quarter + 1) + Duration::from_millis(100));
        assert!(closed.iter().filter(|after| within.contains(*after)).count() >= 2, "{closed:?}");
    }
    program.end().expect_code(0).expect_said(&["100 requests finished, 0 cut off"]);
}
