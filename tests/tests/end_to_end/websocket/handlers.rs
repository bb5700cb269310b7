//! Handlers that don't wait for the next message when the stop begins.

use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Message, WebSocket};

use super::{connect, expect_over, goodbye, mute, nothing, upgraded};
use crate::harness::{LIMIT, Program, Signal, program};

#[test]
fn a_handler_that_has_answered_and_reads_no_more_holds_nothing_up() {
    let mut program = program!("routes").start();
    let mut socket = connect(&mut program, "/once");
    socket.send(Message::text("now")).expect("it is open");
    assert_eq!(socket.read().expect("an answer"), Message::text("answer"));
    program.signal(Signal::SIGTERM);
    assert_eq!(goodbye(&mut socket, nothing), CloseCode::Away);
    expect_over(&mut socket);
    let ended = program.end();
    ended.expect_code(0).expect_said(&["0 cut off"]);
    // The handler counts as one that waits a second after its answer, and its client has another
    // second to learn of the end.
    assert!(ended.took < Duration::from_secs(8), "{:?}\n{ended}", ended.took);
}

#[test]
fn nor_does_one_that_answers_in_the_stop_and_reads_no_more() {
    let mut program = program!("routes").start();
    let mut socket = connect(&mut program, "/once");
    socket.send(Message::text("wait")).expect("it is open");
    program.wait_until_said("once");
    program.signal(Signal::SIGTERM);
    // By this line the quiet window is over.
    program.wait_for("waiting for GET /once ");
    program.tell("once");
    assert_eq!(socket.read().expect("an answer"), Message::text("answer"));
    assert_eq!(goodbye(&mut socket, nothing), CloseCode::Away);
    expect_over(&mut socket);
    program.end().expect_code(0).expect_said(&["0 cut off"]);
}

/// Gives a handler this many milliseconds of work, and leaves: in order, or by a reset.
fn leave_at_work(program: &mut Program, milliseconds: u32, resets: bool) {
    let mut socket = connect(program, "/busy");
    socket.send(Message::text(milliseconds.to_string())).expect("it is open");
    program.wait_until_said("busy");
    if resets {
        SockRef::from(socket.get_ref()).set_linger(Some(Duration::ZERO)).expect("a socket");
    }
}

#[test]
fn a_handler_whose_client_has_gone_is_waited_for() {
    for resets in [false, true] {
        let mut program = program!("routes").start();
        leave_at_work(&mut program, 3000, resets);
        let ended = program.stop();
        // The server can't know that a client which has closed its connection no longer reads.
        // After a reset it sends nothing.
        let answer = if resets { "busy failed" } else { "busy sent" };
        ended.expect_code(0).expect_did(&["busy", answer, "flush", "close_db"]);
    }
}

#[test]
fn a_client_that_closes_only_its_half_gets_its_answer() {
    let mut program = program!("routes").start();
    let mut socket = connect(&mut program, "/busy");
    socket.send(Message::text("1500")).expect("it is open");
    program.wait_until_said("busy");
    socket.get_ref().shutdown(Shutdown::Write).expect("it is open");
    program.signal(Signal::SIGTERM);
    assert_eq!(socket.read().expect("an answer"), Message::text("worked 1500"));
    let ended = program.end();
    ended.expect_code(0).expect_said(&["1 request finished, 0 cut off"]);
    ended.expect_did(&["busy", "busy sent", "flush", "close_db"]);
}

#[test]
fn a_handler_whose_client_has_gone_has_the_time_of_a_request() {
    for resets in [false, true] {
        let mut program = program!("routes").env("LIFECYCLE_DRAIN_TIMEOUT", "3s").start();
        leave_at_work(&mut program, 60_000, resets);
        let ended = program.stop();
        ended
            .expect_code(3)
            .expect_took(Duration::from_secs(3))
            .expect_said(&["request cut off: GET /busy "]);
        ended.expect_did(&["busy", "flush", "close_db"]);
    }
}

#[test]
fn a_stream_that_panics_ends_its_request_and_holds_nothing_up() {
    let mut program = program!("routes").start();
    let mut client = mute(&mut program, "/panics");
    let mut program = program.ready();
    program.tell("panic");
    assert!(client.is_closed());
    // The rest of the request ends while the client learns of its end.
    for asked in 1..=10 {
        program.signal(Signal::SIGUSR1);
        program.wait_for_times("lifecycle: ready for ", asked);
    }
    program.signal(Signal::SIGTERM);
    let ended = program.end();
    ended
        .expect_code(0)
        .expect_took(Duration::ZERO)
        .expect_said(&[", running nothing", "0 requests finished, 0 cut off, 1 panicked"])
        .expect_said(&["the handler of GET /panics panicked (after "]);
    assert_eq!(ended.stderr().matches("the stream has no idea").count(), 1, "{ended}");
}

/// Number of messages that a handler can write though nobody reads: as many as wait in a session of
/// `actix-ws`.
const FEW: usize = 32;

/// Number of messages of an answer that fits into no buffer.
const MANY: usize = 300;

/// Time for which a client reads nothing: longer than the server waits for a client to which it
/// owes nothing.
const PAUSE: Duration = Duration::from_millis(2500);

/// Connects a client whose system accepts only a few bytes that the client has not read, in small
/// segments: the system of the server then keeps few bytes, too, and the rest waits in the server.
fn connect_narrow(program: &mut Program, path: &str) -> WebSocket<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a size");
    socket.set_tcp_mss(1000).expect("a size");
    let address: SocketAddr = program.address().parse().expect("an address");
    socket.connect(&address.into()).expect("it listens");
    socket.set_read_timeout(Some(LIMIT)).expect("it is open");
    upgraded(socket.into(), path)
}

/// Has a client read an answer of this many messages after a pause that begins at the signal, and
/// checks that all of it comes, and then the Close.
fn reads_late(mut program: Program, mut socket: WebSocket<TcpStream>, count: usize) {
    program.signal(Signal::SIGTERM);
    program.wait_for("stopping");
    std::thread::sleep(PAUSE);
    for number in 0..count {
        let message = socket.read().unwrap_or_else(|error| panic!("message {number}: {error}"));
        assert_eq!(message.to_text().expect("a text").trim_start(), number.to_string());
    }
    assert_eq!(goodbye(&mut socket, nothing), CloseCode::Away);
    expect_over(&mut socket);
    let ended = program.end();
    ended.expect_code(0).expect_said(&["1 request finished, 0 cut off"]);
}

#[test]
fn a_handler_that_is_stuck_in_its_answer_ends_it() {
    let mut program = program!("routes").start();
    let mut socket = connect_narrow(&mut program, "/burst");
    socket.send(Message::text(MANY.to_string())).expect("it is open");
    program.wait_until_said("burst");
    reads_late(program, socket, MANY);
}

#[test]
fn what_a_handler_has_written_before_the_signal_comes_before_the_close() {
    let mut program = program!("routes").start();
    let mut socket = connect_narrow(&mut program, "/burst");
    socket.send(Message::text(FEW.to_string())).expect("it is open");
    // The client has read none of it.
    program.wait_until_said("burst written");
    reads_late(program, socket, FEW);
}

#[test]
fn a_message_in_several_frames_comes_whole_before_the_close() {
    let mut program = program!("routes").start();
    let mut socket = connect(&mut program, "/tale");
    socket.send(Message::text(PAUSE.as_millis().to_string())).expect("it is open");
    program.wait_until_said("tale");
    program.signal(Signal::SIGTERM);
    assert_eq!(socket.read().expect("an answer"), Message::text("once upon"));
    assert_eq!(goodbye(&mut socket, nothing), CloseCode::Away);
    expect_over(&mut socket);
    program.end().expect_code(0).expect_said(&["1 request finished, 0 cut off"]);
}

#[test]
fn a_client_that_has_stopped_in_the_middle_of_a_message_gets_the_close() {
    let mut program = program!("routes").start();
    let mut socket = connect(&mut program, "/echo");
    // A text of five bytes, behind an empty mask.
    socket.get_mut().write_all(&[0x81, 0x85, 0, 0, 0, 0, b'h']).expect("it is open");
    program.signal(Signal::SIGTERM);
    assert_eq!(goodbye(&mut socket, nothing), CloseCode::Away);
    expect_over(&mut socket);
    program.end().expect_code(0).expect_said(&["1 request finished, 0 cut off"]);
}
