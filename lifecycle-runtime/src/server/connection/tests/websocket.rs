use std::collections::VecDeque;
use std::pin::Pin;

use actix_http::Payload;
use actix_http::body::{BodyStream, BoxBody};
use actix_http::error::PayloadError;
use actix_web::web::Bytes;
use futures_util::{Stream, stream};

use super::*;
use crate::server::connection::websocket::sample::{BEGUN, LAST, TEXT, frame, masked};
use crate::server::connection::websocket::{WebSocketBody, observe};

/// Close of the server.
const GOING_AWAY: &[u8] = &[0x88, 2, 0x03, 0xe9];

/// Bytes that one side has sent and the other has not got.
type Queue = Rc<RefCell<VecDeque<Bytes>>>;

/// Returns a stream of the bytes in a queue.
fn bytes_of(queue: &Queue) -> impl Stream<Item = Result<Bytes, PayloadError>> + use<> {
    let queue = Rc::clone(queue);
    stream::poll_fn(move |_| match queue.borrow_mut().pop_front() {
        Some(bytes) => Poll::Ready(Some(Ok(bytes))),
        None => Poll::Pending,
    })
}

/// WebSocket of a server that closes, with its handler and its client.
struct Session {
    fixture: Fixture,
    websocket: Rc<WebSocket>,
    from_client: Queue,
    payload: Payload,
    from_handler: Queue,
    body: WebSocketBody,
}

impl Session {
    async fn closing() -> Self {
        let fixture = Fixture::closing().await;
        let (from_client, from_handler) = (Queue::default(), Queue::default());
        let mut request = Request::new();
        *request.payload() = Payload::Stream { payload: Box::pin(bytes_of(&from_client)) };
        let (mut request, websocket) = observe(request, &fixture.connection);
        websocket.accept(fixture.begin().expect("served"));
        fixture.connection.becomes_websocket(&websocket);
        let body = WebSocketBody {
            body: Some(BoxBody::new(BodyStream::new(bytes_of(&from_handler)))),
            websocket: Rc::clone(&websocket),
            connection: Rc::clone(&fixture.connection),
        };
        let payload = std::mem::replace(request.payload(), Payload::None);
        let mut session = Self { fixture, websocket, from_client, payload, from_handler, body };
        session.read();
        session
    }

    /// Has bytes of the client come and be read by the handler, which then waits for more.
    fn client_sends(&mut self, bytes: &[u8]) {
        self.fixture.connection.received(bytes.len());
        self.from_client.borrow_mut().push_back(Bytes::copy_from_slice(bytes));
        self.read();
        self.read();
    }

    /// Has the handler read what has come.
    fn read(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        while Pin::new(&mut self.payload).poll_next(&mut context).is_ready() {}
    }

    fn handler_sends(&self, bytes: &[u8]) {
        self.from_handler.borrow_mut().push_back(Bytes::copy_from_slice(bytes));
    }

    /// Polls the connection, and returns the bytes that are then written.
    fn poll(&mut self) -> Vec<u8> {
        self.fixture.poll();
        let mut written = Vec::new();
        let mut context = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(Ok(bytes))) = self.body.poll_next(&mut context) {
            self.fixture.connection.wrote(Poll::Ready(bytes.len()));
            written.extend_from_slice(&bytes);
        }
        written
    }

    /// Polls the connection for this many milliseconds, and returns the bytes that are written.
    async fn poll_for(&mut self, millis: u64) -> Vec<u8> {
        let mut written = self.poll();
        for _ in 0..millis {
            advance(Duration::from_millis(1)).await;
            written.extend(self.poll());
        }
        written
    }

    fn is_given_up(&self) -> bool {
        self.fixture.connection.is_given_up()
    }
}

#[tokio::test(start_paused = true)]
async fn a_websocket_is_closed_when_its_handler_waits() {
    let mut session = Session::closing().await;
    assert_eq!(session.poll(), GOING_AWAY);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_the_handler_has_begun_has_the_time_of_a_request() {
    // The handler waits for the next message meanwhile, or works on one.
    for reads_on in [true, false] {
        let mut session = Session::closing().await;
        session.client_sends(&masked(TEXT, b"prompt"));
        if !reads_on {
            session.fixture.connection.received(1);
            session.from_client.borrow_mut().push_back(masked(TEXT, b"prompt").into());
            session.read();
        }
        session.handler_sends(&frame(BEGUN, b"once "));
        assert_eq!(session.poll(), frame(BEGUN, b"once "));
        assert_eq!(session.poll_for(60_000).await, b"");
        assert!(!session.is_given_up());
        session.handler_sends(&frame(LAST, b"upon"));
        let last = [&frame(LAST, b"upon"), GOING_AWAY].concat();
        assert_eq!(session.poll_for(1_500).await, last);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stops_in_the_middle_of_a_message_gets_the_close_a_second_later() {
    for part in [masked(BEGUN, b"once "), masked(TEXT, b"once upon")[..8].to_vec()] {
        let mut session = Session::closing().await;
        session.client_sends(&part);
        assert_eq!(session.poll_for(1_200).await, b"");
        assert_eq!(session.poll_for(100).await, GOING_AWAY);
        assert!(!session.is_given_up());
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_of_the_client_is_waited_for_as_long_as_more_of_it_comes() {
    // The kernel tells nothing of a Unix socket.
    let mut session = Session::closing().await;
    session.client_sends(&masked(BEGUN, b""));
    for _ in 0..20 {
        assert_eq!(session.poll_for(900).await, b"");
        assert!(!session.is_given_up());
        session.client_sends(&masked(0, b"and"));
    }
    session.client_sends(&masked(LAST, b""));
    assert_eq!(session.poll_for(1_500).await, GOING_AWAY);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_a_little_now_and_then_is_not_given_up() {
    let mut session = Session::closing().await;
    let message = frame(TEXT, &[b'x'; 100]);
    session.handler_sends(&message[..50]);
    assert_eq!(session.poll(), message[..50]);
    for _ in 0..20 {
        session.fixture.connection.wrote(Poll::Pending);
        session.poll_for(900).await;
        session.fixture.connection.wrote(Poll::Ready(1));
    }
    assert!(!session.is_given_up());
    session.fixture.connection.wrote(Poll::Pending);
    session.poll_for(1_100).await;
    assert!(session.is_given_up());
}

#[tokio::test(start_paused = true)]
async fn a_network_that_is_out_of_order_for_a_while_costs_no_message() {
    for is_unanswered in [true, false] {
        let mut session = Session::closing().await;
        let message = frame(TEXT, b"hello");
        session.handler_sends(&message[..3]);
        assert_eq!(session.poll(), message[..3]);
        let info = TcpInfo { written: 100, is_unanswered, ..TcpInfo::default() };
        session.fixture.info.set(Some(info));
        session.poll_for(3_000).await;
        assert_eq!(session.is_given_up(), !is_unanswered, "it answers, and takes nothing");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_more_is_looked_at_again() {
    let session = Session::closing().await;
    let wakes = session.fixture.wakes.count();
    session.fixture.connection.wrote(Poll::Ready(1));
    assert_eq!(session.fixture.wakes.count(), wakes);
    session.fixture.connection.wrote(Poll::Pending);
    assert_eq!(session.fixture.wakes.count(), wakes + 1);
    assert!(session.websocket.is_stuck());
}

#[test]
fn a_websocket_is_finished_when_its_end_is_written_and_not_if_that_fails() {
    for (fails, expected) in [(false, (1, 0, 0, 0)), (true, (0, 1, 0, 0))] {
        let fixture = Fixture::new();
        let (_request, websocket) = observe(Request::new(), &fixture.connection);
        websocket.accept(fixture.begin().expect("served"));
        fixture.connection.becomes_websocket(&websocket);
        websocket.end_sending(true);
        if fails {
            fixture.connection.broke();
        } else {
            fixture.connection.wrote(Poll::Ready(4));
        }
        websocket.finish();
        assert_eq!(fixture.counts(), expected);
    }
}
