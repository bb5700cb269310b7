use std::future::poll_fn;
use std::sync::atomic::AtomicUsize;
use std::task::{Poll, Wake};

use actix_web::web::BytesMut;
use tokio::time::advance;

use super::super::http2::sample;
use super::*;

const QUIET: Duration = Duration::from_millis(250);
const DISCONNECT: Duration = Duration::from_secs(1);

fn connection() -> Rc<Connection> {
    Rc::new(Connection::new(Arc::default(), Rc::new(Phase::new(Arc::default()))))
}

fn begin(connection: &Rc<Connection>) -> Option<InFlight> {
    connection.begin(&Method::GET, &Uri::from_static("/path"))
}

/// Checks what is due, and in how many milliseconds from now.
#[track_caller]
fn check(connection: &Connection, quiet_until: Instant, expected: &str) {
    let within = |at: Instant| at.saturating_duration_since(Instant::now()).as_millis();
    let due = match connection.due(quiet_until, DISCONNECT) {
        Due::Never => "never".to_owned(),
        Due::End(at) => format!("end in {}", within(at)),
        Due::Drop(at) => format!("drop in {}", within(at)),
    };
    assert_eq!(due, expected);
}

fn announce(connection: &Connection) {
    connection.phase.announces.store(true, Ordering::Relaxed);
}

/// Finished, abandoned, refused, in flight.
fn counts(connection: &Connection) -> (u64, u64, u64, usize) {
    let (requests, in_flight) = (connection.table.traffic().requests, connection.table.in_flight());
    (requests.finished, requests.abandoned, requests.refused, in_flight)
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_ends_with_the_quiet_window() {
    let (connection, quiet_until) = (connection(), Instant::now() + QUIET);
    check(&connection, quiet_until, "end in 250");
    advance(QUIET).await;
    check(&connection, quiet_until, "end in 0");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_owes_a_response_is_left_alone() {
    let (connection, quiet_until) = (connection(), Instant::now());
    connection.phase.close();
    let first = begin(&connection).expect("served");
    let second = begin(&connection).expect("served");
    check(&connection, quiet_until, "never");
    first.complete();
    check(&connection, quiet_until, "never");
    connection.flushed();
    check(&connection, quiet_until, "never");
    second.complete();
    check(&connection, quiet_until, "never");
    connection.flushed();
    check(&connection, quiet_until, "end in 10");
    assert_eq!(counts(&connection), (2, 0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_its_client_leaves_makes_the_connection_idle() {
    let (connection, quiet_until) = (connection(), Instant::now());
    connection.phase.close();
    let request = begin(&connection).expect("served");
    advance(QUIET).await;
    drop(request);
    check(&connection, quiet_until, "end in 10");
    assert_eq!(counts(&connection), (0, 1, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_was_told_to_end_is_dropped_unless_something_arrives() {
    let (connection, quiet_until) = (connection(), Instant::now());
    advance(QUIET).await;
    assert_eq!(connection.end(), Instant::now() + ENDING);
    assert!(connection.has_ended());
    check(&connection, quiet_until, "drop in 100");
    connection.goes_on();
    assert!(!connection.has_ended());
    check(&connection, quiet_until, "end in 0");
}

#[test]
fn a_response_that_can_not_be_written_is_abandoned() {
    let connection = connection();
    begin(&connection).expect("served").complete();
    assert_eq!(counts(&connection), (0, 0, 0, 1));
    let table = Arc::clone(&connection.table);
    drop(connection);
    let requests = table.traffic().requests;
    assert_eq!((requests.abandoned, requests.cut), (1, vec![]));
}

#[test]
fn a_request_after_a_response_that_said_close_is_refused() {
    let connection = connection();
    let first = begin(&connection).expect("served");
    assert!(!connection.says_close());
    first.complete();
    announce(&connection);
    let second = begin(&connection).expect("served: nobody was told");
    assert!(connection.says_close());
    assert!(begin(&connection).is_none());
    second.complete();
    connection.flushed();
    assert_eq!(counts(&connection), (2, 0, 1, 0));
}

#[test]
fn streams_of_http2_are_refused_after_the_last_and_not_because_a_response_said_close() {
    let connection = connection();
    connection.speaks_http2();
    connection.speech().received(&sample::client(&[vec![sample::head(1, 0), sample::head(3, 0)]]));
    announce(&connection);
    let _first = begin(&connection).expect("served");
    assert!(connection.says_close());
    let _second = begin(&connection).expect("served");
    connection.tell_last();
    assert!(begin(&connection).is_none());
    assert_eq!(counts(&connection), (0, 0, 1, 2));
}

#[tokio::test(start_paused = true)]
async fn an_http2_connection_ends_when_nothing_more_will_be_said() {
    let (connection, quiet_until) = (connection(), Instant::now());
    connection.speaks_http2();
    connection.speech().received(&sample::client(&[vec![sample::head(1, 0)]]));
    connection.speech().sent(&sample::settings().bytes());
    connection.tell_last();
    check(&connection, quiet_until, "never");
    connection.speech().due().expect("a good-bye").clear();
    check(&connection, quiet_until, "never");
    connection.speech().sent(&sample::reset(1).bytes());
    check(&connection, quiet_until, "end in 0");
}

#[tokio::test(start_paused = true)]
async fn an_http2_connection_is_not_done_before_its_good_bye_is_written() {
    let (connection, quiet_until) = (connection(), Instant::now());
    connection.speaks_http2();
    connection.speech().sent(&sample::settings().bytes());
    connection.tell_last();
    check(&connection, quiet_until, "never");
    connection.speech().due().expect("a good-bye").clear();
    check(&connection, quiet_until, "end in 0");
}

#[tokio::test(start_paused = true)]
async fn a_websocket_ends_when_its_client_has_had_time_to_answer_the_close() {
    let (connection, quiet_until) = (connection(), Instant::now());
    let handler = begin(&connection).expect("served");
    connection.tell();
    advance(QUIET).await;
    connection.becomes_websocket();
    check(&connection, quiet_until, "never");
    connection.phase.close();
    connection.tell();
    advance(QUIET).await;
    connection.tell();
    check(&connection, quiet_until, "end in 750");
    handler.complete();
    connection.flushed();
    check(&connection, quiet_until, "end in 0");
}

#[tokio::test(start_paused = true)]
async fn what_becomes_a_websocket_or_http2_while_connections_close_is_told_at_once() {
    let closing = || {
        let connection = connection();
        connection.phase.close();
        connection
    };
    let websocket = closing();
    let _handler = begin(&websocket).expect("served");
    websocket.becomes_websocket();
    websocket.speech().sent(b"HTTP/1.1 101 Switching Protocols\r\n\r\n");
    assert_eq!(websocket.speech().due(), Some(&mut BytesMut::from(&[0x88, 2, 3, 0xe9][..])));
    check(&websocket, Instant::now(), "end in 1000");

    let http2 = closing();
    http2.speaks_http2();
    http2.speech().sent(&sample::settings().bytes());
    let said = http2.speech().due().map(|due| sample::parse(due));
    assert_eq!(said, Some(sample::good_bye().to_vec()));
}

#[test]
fn a_response_that_claims_an_upgrade_on_http2_changes_nothing() {
    let connection = connection();
    connection.speaks_http2();
    connection.becomes_websocket();
    assert!(matches!(connection.speech().language(), Language::Http2(_)));
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_connection_is_woken_only_when_it_has_something_to_do() {
    let wakes = Arc::<Wakes>::default();
    let (connection, waker) = (connection(), Arc::clone(&wakes).into());
    connection.driven_by(&Context::from_waker(&waker));
    let woken = || wakes.0.swap(0, Ordering::Relaxed);
    connection.tell();
    connection.tell_last();
    assert_eq!(woken(), 0, "HTTP/1 has no word for it");
    connection.speaks_http2();
    connection.tell();
    assert_eq!(woken(), 1);
    connection.tell();
    assert_eq!(woken(), 0);
    connection.tell_last();
    assert_eq!(woken(), 1);
    connection.tell_last();
    assert_eq!(woken(), 0);
    connection.end();
    assert_eq!(woken(), 1);
}

#[tokio::test]
async fn a_change_is_not_missed_by_a_worker_that_looks_later() {
    let phase = Phase::new(Arc::default());
    let is_changed = async || {
        let mut changed = std::pin::pin!(phase.changed());
        poll_fn(|context| Poll::Ready(changed.as_mut().poll(context).is_ready())).await
    };
    phase.change();
    assert!(!is_changed().await, "nothing is due before connections close");
    phase.close();
    phase.change();
    phase.change();
    assert!(is_changed().await);
    assert!(!is_changed().await);
}
