use std::rc::Rc;
use std::sync::Arc;

use actix_http::Request;
use tokio::time::advance;

use super::*;
use crate::server::connection::WorkerPhase;
use crate::server::connection::websocket;
use crate::server::http2::sample;
use crate::server::transport::wire;

const DISCONNECT: Duration = Duration::from_secs(1);

struct Fixture {
    connection: Rc<Connection>,
    wire: wire::WireSocket,
}

impl Fixture {
    fn new() -> Self {
        let phase = Rc::new(WorkerPhase::new(Arc::default(), None));
        Self {
            connection: Rc::new(Connection::new(Arc::default(), phase)),
            wire: wire::WireSocket::default(),
        }
    }

    /// Returns the time for which the connection lingers while `act` is called each 100 ms.
    async fn linger(&self, mut act: impl FnMut(u32)) -> Duration {
        let begun = Instant::now();
        let socket = SharedSocket::new(self.wire.clone());
        let mut linger = std::pin::pin!(linger(&socket, &self.connection, DISCONNECT));
        for step in 0..100 {
            if futures_util::poll!(&mut linger).is_ready() {
                assert!(self.wire.0.borrow().is_shut, "our half is closed");
                return begun.elapsed();
            }
            advance(Duration::from_millis(100)).await;
            act(step);
        }
        panic!("it lingers for ever");
    }
}

fn about(took: Duration, millis: u64) -> bool {
    took.as_millis().abs_diff(millis.into()) <= 100
}

#[tokio::test(start_paused = true)]
async fn a_client_that_has_its_response_is_not_waited_for() {
    assert_eq!(Fixture::new().linger(|_| {}).await, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_still_sends_a_body_is_given_time_to_stop() {
    let fixture = Fixture::new();
    fixture.wire.0.borrow_mut().feed(b"body");
    let took = fixture.linger(|_| fixture.wire.0.borrow_mut().feed(b"more")).await;
    assert!(about(took, 1000), "{took:?}");
    fixture.connection.answered();
    fixture.wire.0.borrow_mut().feed(b"body");
    let took = fixture.linger(|step| fixture.wire.0.borrow_mut().is_over = step == 2).await;
    assert!(about(took, 300), "{took:?}");
    assert!(fixture.wire.0.borrow().incoming.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_still_sends_a_body_has_one_time_from_its_response_on() {
    let fixture = Fixture::new();
    // The time in which actix-http has read the body counts.
    for (before, left) in [(0, 1000), (400, 600), (1000, 0), (5000, 0)] {
        fixture.connection.answered();
        advance(Duration::from_millis(before)).await;
        fixture.wire.0.borrow_mut().feed(b"body");
        let took = fixture.linger(|_| fixture.wire.0.borrow_mut().feed(b"more")).await;
        assert!(about(took, left), "{took:?} after {before} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn an_http2_client_may_read_as_long_as_it_shows_that_it_does() {
    let fixture = Fixture::new();
    fixture.connection.speaks_http2();
    let took = fixture.linger(|_| {}).await;
    assert!(about(took, 1000), "{took:?}");

    fixture.wire.0.borrow_mut().feed(&sample::client(&[vec![sample::settings()]]));
    let sends = async |frame: sample::Frame| {
        let sends = |step| {
            if step < 20 {
                fixture.wire.0.borrow_mut().feed(&frame.bytes());
            }
        };
        fixture.linger(sends).await
    };
    let took = sends(sample::ping(0, *b"are you?")).await;
    assert!(about(took, 3000), "{took:?}");
    let took = sends(sample::data(1, 0)).await;
    assert!(about(took, 1000), "a body that nobody wants shows nothing: {took:?}");
}

#[tokio::test(start_paused = true)]
async fn an_http2_client_that_has_read_everything_is_not_waited_for() {
    let fixture = Fixture::new();
    fixture.connection.speaks_http2();
    fixture.connection.announce();
    let pong = |step| {
        if step == 1 {
            fixture.wire.0.borrow_mut().feed(&sample::client(&[vec![sample::pong()]]));
        }
    };
    let took = fixture.linger(pong).await;
    assert!(about(took, 200), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_websocket_client_is_given_time_to_answer_the_close() {
    let fixture = Fixture::new();
    let (_request, websocket) = websocket::observe(Request::new(), &fixture.connection);
    fixture.connection.becomes_websocket(&websocket);
    let took = fixture.linger(|_| {}).await;
    assert!(about(took, 1000), "{took:?}");

    let answers = |step| {
        if step == 1 {
            let close = websocket::sample::masked(websocket::sample::CLOSE, &[3, 233]);
            fixture.wire.0.borrow_mut().feed(&close);
        }
    };
    let took = fixture.linger(answers).await;
    assert!(about(took, 200), "{took:?}");
}
